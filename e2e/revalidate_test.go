package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const atlas = "../examples/atlas"

// address is a request for a page: its target and fields.
type address []string

// addressesOf sends each request until its answer is stored, and returns the answers.
func (s *site) addressesOf(t *testing.T, all []address) (bodies []string) {
	t.Helper()
	for _, one := range all {
		s.get(one[0], one[1:]...).want(t, 200)
		bodies = append(bodies, s.get(one[0], one[1:]...).want(t, 200).hit(t, true).Body)
	}
	return bodies
}

// TestRevalidationIsPrecise checks that a revalidation concerns a page at every address that leads to
// it, with the next request, and no other answer: with languages, a base path, trailing slashes and rewrites.
func TestRevalidationIsPrecise(t *testing.T) {
	t.Parallel()
	a := up(t)
	a.deploy(atlas, "atlas")
	s := a.site(t, "atlas")
	id, err := os.ReadFile(filepath.Join(atlas, ".open-next", "assets", "BUILD_ID"))
	if err != nil {
		t.Fatal(err)
	}
	data := "/atlas/_next/data/" + url.PathEscape(strings.TrimSpace(string(id)))

	pages := map[string][]address{
		"harbour": {
			{"/atlas/places/harbour/"}, {"/atlas/places/harbour/?utm=1"}, {"/atlas/home-port/"}, {"/atlas/home-port/?utm=1"},
			{data + "/en/places/harbour.json"}, {data + "/en/places/harbour.json?name=harbour"}, {"/atlas/en/places/harbour/"},
		},
		"harbour in German":    {{"/atlas/de/places/harbour/"}, {data + "/de/places/harbour.json"}},
		"lighthouse":           {{"/atlas/places/lighthouse/"}, {data + "/en/places/lighthouse.json"}},
		"north":                {{"/atlas/seas/north/"}, {"/atlas/seas/north/?utm=1"}, {"/atlas/seas/north/?_rsc=a", "RSC", "1"}, {"/atlas/seas/north/?_rsc=b", "RSC", "1", "Next-Router-Prefetch", "1"}, {"/atlas/upwind/"}},
		"south":                {{"/atlas/seas/south/"}, {"/atlas/seas/south/?_rsc=a", "RSC", "1"}},
		"islands":              {{"/atlas/islands/"}},
		"an answer of no page": {{"/atlas/api/tide/"}},
	}
	for name, c := range map[string]struct {
		call    string // by POST
		changed []string
		loose   bool // answers of which the tags are not known are concerned, too
	}{
		"res.revalidate":               {"/atlas/api/revalidate/?path=/atlas/places/harbour/", []string{"harbour"}, false},
		"res.revalidate without slash": {"/atlas/api/revalidate/?path=/atlas/places/lighthouse", []string{"lighthouse"}, false},
		"res.revalidate of a language": {"/atlas/api/revalidate/?path=/atlas/de/places/harbour/", []string{"harbour in German"}, false},
		"res.revalidate of the app":    {"/atlas/api/revalidate/?path=/atlas/seas/south/", []string{"south"}, false},
		"revalidateTag":                {"/atlas/refresh/?tag=sea-north", []string{"north"}, true},
		"revalidatePath":               {"/atlas/refresh/?path=/seas/south/", []string{"south"}, true},
		"revalidatePath of a page":     {"/atlas/refresh/?path=/seas/[name]&type=page", []string{"north", "south"}, true},
		"revalidatePath of a layout":   {"/atlas/refresh/?path=/seas/[name]&type=layout", []string{"north", "south"}, true},
		"revalidatePath of all":        {"/atlas/refresh/?path=/&type=layout", []string{"north", "south", "islands"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			// An answer that the app has rendered itself does not name its tags; the next one does.
			if out, errs, code := a.run("cache", "purge", "--project", "atlas"); code != 0 {
				t.Fatal(out, errs)
			}
			before := map[string][]string{}
			for page, addresses := range pages {
				before[page] = s.addressesOf(t, addresses)
			}
			s.post(strings.ReplaceAll(c.call, "[name]", "%5Bname%5D"), "").want(t, 200)
			for page, addresses := range pages {
				concerned := false
				for _, changed := range c.changed {
					concerned = concerned || page == changed
				}
				if c.loose && page == "an answer of no page" {
					continue
				}
				for i, one := range addresses {
					p := s.get(one[0], one[1:]...).want(t, 200)
					if !concerned {
						p.hit(t, true)
					}
					if (p.Body != before[page][i]) != concerned {
						t.Errorf("%s at %q: changed is %t, want %t (%s)", page, one, !concerned, concerned, p.Header.Get("Cache-Status"))
					}
					if head := s.request("HEAD", one[0], nil, one[1:]...); concerned && head.Header.Get("Etag") != p.Header.Get("Etag") {
						t.Errorf("HEAD of %s at %q: %q, GET has %q", page, one, head.Header.Get("Etag"), p.Header.Get("Etag"))
					}
				}
			}
		})
	}
}

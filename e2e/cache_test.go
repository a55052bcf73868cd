package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// narrowMiddleware changes a variant to the build of an app whose middleware runs only for a few
// pages.
func narrowMiddleware(t *testing.T, app string) string {
	t.Helper()
	if err := NarrowMiddleware(app); err != nil {
		t.Fatal(err)
	}
	return app
}

// hit fails unless the edge answered from memory, or did not.
func (p page) hit(t *testing.T, want bool) page {
	t.Helper()
	if status := p.Header.Get("Cache-Status"); strings.HasPrefix(status, "anchor; hit") != want {
		t.Errorf("Cache-Status is %q, want a hit: %t", status, want)
	}
	return p
}

// TestSharedPages checks what visitors share of a real Next.js app: pages, in the variants of the
// client router, and images. It then checks that they never share what may differ.
func TestSharedPages(t *testing.T) {
	a := up(t)
	first := a.deploy(narrowMiddleware(t, variant(t, 1)), "shop")
	s := a.site(t, "shop")
	rsc := []string{"RSC", "1"}

	t.Run("a page is rendered for all", func(t *testing.T) {
		one := s.get("/about").want(t, 200).hit(t, false)
		two := s.get("/about", "Cookie", "session=1").want(t, 200).hit(t, true)
		if one.Body != two.Body || two.Header.Get("Age") == "" || two.Header.Get("X-Shop-Page") != "about" {
			t.Errorf("another page, or another header: %v", two.Header)
		}
		s.request("HEAD", "/about", nil).want(t, 200).hit(t, true)
		s.get("/about", "If-None-Match", two.Header.Get("Etag")).want(t, 304).hit(t, true)
	})
	t.Run("the client router has its own answers", func(t *testing.T) {
		s.get("/about", rsc...).want(t, 200).header(t, "Content-Type", "text/x-component").hit(t, false)
		s.get("/about").want(t, 200).header(t, "Content-Type", "text/html; charset=utf-8").hit(t, true)
		s.get("/about", rsc...).want(t, 200).header(t, "Content-Type", "text/x-component").hit(t, true)
		s.get("/about", "RSC", "1", "Next-Router-Prefetch", "1").want(t, 200).hit(t, false)
	})
	t.Run("what the middleware decides is for one", func(t *testing.T) {
		for range 2 {
			s.get("/ab", "Cookie", "ab=a").want(t, 200).has(t, `data-variant="a"`).hit(t, false)
			s.get("/ab", "Cookie", "ab=b").want(t, 200).has(t, `data-variant="b"`).hit(t, false)
			s.get("/gated", "Cookie", "gate=open").want(t, 200).hit(t, false)
			s.get("/gated").want(t, 307).hit(t, false)
		}
	})
	t.Run("draft mode is for one", func(t *testing.T) {
		cookie, _, _ := strings.Cut(s.get("/api/draft/enable").want(t, 307).Header.Get("Set-Cookie"), ";")
		for range 2 {
			s.get("/draft").want(t, 200).has(t, `data-draft="false"`)
			s.get("/draft", "Cookie", cookie).want(t, 200).has(t, `data-draft="true"`).hit(t, false)
		}
	})
	t.Run("a poisoned request leaves nothing", func(t *testing.T) {
		for i, field := range []string{
			"X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-For", "X-Open-Next-City", "X-Opennext-Initial-Url",
			"X-Middleware-Rewrite", "X-Invoke-Path", "X-Matched-Path", "X-Now-Route-Matches", "X-Nextjs-Data", "X-Middleware-Prefetch",
			"X-Prerender-Revalidate", "RSC", "Next-Router-State-Tree", "Next-Router-Segment-Prefetch", "Next-Url", "Purpose", "Accept", "Content-Type",
		} {
			path := "/products/" + productSlug(s) + "?n=" + string(rune('a'+i))
			s.get(path, field, "/evil.example")
			p := s.get(path).want(t, 200).header(t, "Content-Type", "text/html; charset=utf-8")
			if strings.Contains(p.Body, "evil.example") {
				t.Errorf("a visitor sees another one's %s", field)
			}
		}
	})
	t.Run("an image is made once for all that accept it", func(t *testing.T) {
		_, after, _ := strings.Cut(s.get("/").want(t, 200).Body, "/_next/image?url=")
		path := "/_next/image?url=" + strings.ReplaceAll(after[:strings.IndexAny(after, " \"")], "&amp;", "&")
		avif := s.get(path, "Accept", "image/avif,*/*").want(t, 200).hit(t, false)
		if again := s.get(path, "Accept", "image/avif,*/*").want(t, 200).hit(t, true); again.Body != avif.Body {
			t.Error("another picture")
		}
		s.get(path, "Accept", "image/png").want(t, 200).hit(t, false)
	})

	t.Run("a revalidation is visible at once, at every address, and nowhere else", func(t *testing.T) {
		const image = "/_next/image?url=%2Fpictures%2Fsignal-set.jpg&w=640&q=75"
		others := []string{"/about", image}
		for _, path := range others {
			s.get(path).want(t, 200)
		}
		addresses := [][]string{{"/tags/static"}, {"/tags/static", "RSC", "1"}, {"/tags/static?utm=1"}}
		var before []string
		for _, r := range addresses {
			s.get(r[0], r[1:]...).want(t, 200)
			before = append(before, s.get(r[0], r[1:]...).want(t, 200).hit(t, true).Body)
		}
		s.post("/api/revalidate?tag=catalogue", "").want(t, 200)
		for i, r := range addresses {
			if s.get(r[0], r[1:]...).want(t, 200).Body == before[i] {
				t.Errorf("%q is as before", r)
			}
		}
		for _, path := range others {
			s.get(path).want(t, 200).hit(t, true)
		}
		home := s.get("/").want(t, 200).find(t, renderedAt)
		s.post("/api/revalidate?path=/", "").want(t, 200)
		if s.get("/").want(t, 200).find(t, renderedAt) == home {
			t.Error("revalidatePath is not visible")
		}
		for _, path := range others {
			s.get(path).want(t, 200).hit(t, true)
		}
	})

	t.Run("stats and purge", func(t *testing.T) {
		var stats struct {
			Enabled     bool
			Deployments []struct{ Entries, Hits int }
		}
		out, errs, code := a.run("cache", "stats", "--project", "shop", "--json")
		if code != 0 || json.Unmarshal([]byte(out), &stats) != nil || !stats.Enabled || len(stats.Deployments) != 1 || stats.Deployments[0].Hits == 0 {
			t.Fatalf("%d %s%s", code, out, errs)
		}
		for _, purge := range [][]string{{"--url", "http://" + s.host + "/about"}, {"--prefix", "/ab"}, {"--tag", "_N_T_/about"}, {"--deployment", first.DeploymentID}, nil} {
			s.get("/about").want(t, 200)
			s.get("/about").want(t, 200).hit(t, true)
			if out, errs, code := a.run(append([]string{"cache", "purge", "--project", "shop"}, purge...)...); code != 0 || !strings.Contains(out, "Removed ") {
				t.Errorf("%q: %d %s%s", purge, code, out, errs)
			}
			s.get("/about").want(t, 200).hit(t, false)
		}
		s.get("/about").want(t, 200).hit(t, true)
		if _, errs, code := a.run("cache", "purge", "--project", "shop", "--url", "ftp://x/"); code != 2 || !strings.Contains(errs, "neither an http(s) address nor a path") {
			t.Errorf("%d %s", code, errs)
		}
		s.get("/about").want(t, 200).hit(t, true)
	})
	t.Run("a rollback finds its pages", func(t *testing.T) {
		a.deploy(narrowMiddleware(t, variant(t, 2)), "shop")
		s.get("/about").want(t, 200).has(t, LabelOf(2)).hit(t, false)
		if _, errs, code := a.run("rollback", first.DeploymentID, "--project", "shop", "--json"); code != 0 {
			t.Fatal(errs)
		}
		s.get("/about").want(t, 200).has(t, LabelOf(1)).hit(t, true)
	})
}

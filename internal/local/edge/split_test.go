package edge

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// splitSites publishes a site "live" at app.test, of which "candidate" has a share. What each answers is its name.
func splitSites(t *testing.T, e *Edge, split Split, pinned bool) map[string]*Site {
	t.Helper()
	store, sites, pins := cache.New(1<<20), map[string]*Site{}, Pins{}
	for _, name := range []string{"live", "candidate"} {
		files := map[string]string{"robots.txt": name, "only-" + name + ".png": name, "_next/static/chunks/" + name + ".js": name}
		index := assets(t, "", files)
		sites[name] = &Site{
			ID: name, Assets: index, Cache: store.Namespace(), Sharing: Sharing{Guarded: func(*url.URL) bool { return false }},
			Default: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header()["Cache-Control"], w.Header()["Cdn-Cache-Control"] = []string{"s-maxage=600"}, []string{"max-age=600"}
				_, _ = io.WriteString(w, name)
			}),
		}
		if pinned {
			pins[name] = Pin{Site: sites[name], Until: time.Now().Add(time.Hour)}
		}
	}
	for _, s := range sites {
		s.Shared = func(path string) (asset.Asset, *Rule, bool) {
			for _, other := range sites {
				if a, ok := other.Assets.Lookup(path); ok {
					return a, nil, true
				}
			}
			return asset.Asset{}, nil, false
		}
	}
	split.Candidate = sites["candidate"]
	e.Publish(NewTable(map[string]*Site{"app.test": sites["live"], "candidate.test": sites["candidate"], "other.test": sites["live"]}).
		Pinning(map[string]Pins{"app.test": pins}).Splitting(map[string]Split{"app.test": split}))
	return sites
}

func TestEdge_Split_ByRequest(t *testing.T) {
	for _, noHits := range []bool{false, true} {
		e := start(t, Config{})
		e.noHits = noHits
		splitSites(t, e.Edge, Split{Weight: 30}, true)
		for _, target := range []string{"/page", "/robots.txt"} {
			got := map[string]int{}
			for range 1000 {
				answer := e.get(t, "app.test", target)
				got[answer.body]++
				if c := answer.header.Get("Cache-Control"); c != "private, no-cache" || answer.header.Get("Cdn-Cache-Control") != "" || answer.header.Get("Set-Cookie") != "" {
					t.Fatalf("%s may be stored by a shared cache: %v", target, answer.header)
				}
			}
			if got["live"]+got["candidate"] != 1000 || got["candidate"] < 205 || got["candidate"] > 395 { // 6.5 standard deviations
				t.Errorf("%s (without hits: %v): %v", target, noHits, got)
			}
		}
		for range 20 {
			for host, want := range map[string]string{"other.test": "live", "candidate.test": "candidate"} {
				if a := e.get(t, host, "/page"); a.body != want || a.header.Get("Cache-Control") == "private, no-cache" {
					t.Fatalf("%s, which is not divided, is answered by %s with %v", host, a.body, a.header)
				}
			}
			for _, id := range []string{"live", "candidate"} {
				for what, a := range map[string]answer{
					"a navigation": e.get(t, "app.test", "/page?_rsc=1", "X-Deployment-Id", id, "Rsc", "1", "Sec-Fetch-Dest", "empty"),
					"an image":     e.get(t, "app.test", "/_next/image?url=x&dpl="+id, "Sec-Fetch-Dest", "image"),
					"a chunk":      e.get(t, "app.test", "/_next/static/chunks/"+id+".js"),
					"a file":       e.get(t, "app.test", "/only-"+id+".png", "Sec-Fetch-Dest", "image"),
				} {
					if a.status != 200 || a.body != id {
						t.Fatalf("%s of a page of %s is answered with %d by %s", what, id, a.status, a.body)
					}
				}
			}
		}
	}
}

// TestEdge_Split_ByVisitor: a visitor keeps a lot, on plain HTTP and behind a proxy with TLS.
func TestEdge_Split_ByVisitor(t *testing.T) {
	e := start(t, Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	for _, c := range []struct{ proto, name, attributes string }{
		{"http", "anchor-lot", "; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"},
		{"https", "__Host-anchor-lot", "; Path=/; Max-Age=2592000; HttpOnly; Secure; SameSite=Lax"},
	} {
		splitSites(t, e.Edge, Split{Weight: 50, Sticky: true}, false)
		seen := map[string]bool{}
		for range 40 {
			first := e.get(t, "app.test", "/page", "X-Forwarded-Proto", c.proto)
			cookie, attributes, _ := strings.Cut(first.header.Get("Set-Cookie"), ";")
			name, lot, _ := strings.Cut(cookie, "=")
			if name != c.name || ";"+attributes != c.attributes {
				t.Fatalf("over %s the cookie is %q", c.proto, first.header.Get("Set-Cookie"))
			}
			seen[first.body] = true
			again := e.get(t, "app.test", "/robots.txt", "X-Forwarded-Proto", c.proto, "Cookie", "a=1; "+cookie)
			if again.body != first.body || again.header.Get("Set-Cookie") != "" {
				t.Fatalf("with the lot %s, %s answers, then %s; its cookie is %q", lot, first.body, again.body, again.header.Get("Set-Cookie"))
			}
		}
		if len(seen) != 2 {
			t.Errorf("all visitors get %v", seen)
		}
	}
	for lot, want := range map[string]string{"0": "candidate", "4999": "candidate", "5000": "live", "9999": "live"} {
		if a := e.get(t, "app.test", "/page", "Cookie", "anchor-lot="+lot); a.body != want {
			t.Errorf("the lot %s leads to %s, want %s", lot, a.body, want)
		}
	}
	for _, bad := range []string{"10000", "-1", "", "x", "99999999999999999999"} {
		if a := e.get(t, "app.test", "/page", "Cookie", "anchor-lot="+bad); a.status != 200 || a.header.Get("Set-Cookie") == "" {
			t.Errorf("the lot %q is taken: %d %v", bad, a.status, a.header)
		}
	}
	if a := e.get(t, "app.test", "/_next/static/chunks/live.js"); a.header.Get("Set-Cookie") != "" || !strings.Contains(a.header.Get("Cache-Control"), "immutable") {
		t.Errorf("a hashed file, which is the same for all: %v", a.header)
	}
}

// TestEdge_Split_CountsEach: what each version answers is counted as its own.
func TestEdge_Split_CountsEach(t *testing.T) {
	e := start(t, Config{})
	sites := splitSites(t, e.Edge, Split{Weight: 50, Sticky: true}, false)
	for lot, n := range map[int]int{0: 3, 9999: 5} {
		for i := range n {
			e.get(t, "app.test", fmt.Sprintf("/page?%d", i), "Cookie", fmt.Sprintf("anchor-lot=%d", lot))
		}
	}
	for name, want := range map[string]uint64{"candidate": 3, "live": 5} {
		samples, brokenOff := sites[name].Answered()
		var n uint64
		for _, s := range samples {
			n += s.Durations.Total()
		}
		if n != want || brokenOff != 0 {
			t.Errorf("%s has answered %d requests, %d broken off; want %d", name, n, brokenOff, want)
		}
	}
}

// TestEdge_CountsBrokenOffAnswers: the guard of a split counts an answer that the function has broken off as an error.
func TestEdge_CountsBrokenOffAnswers(t *testing.T) {
	e := start(t, Config{})
	site := &Site{ID: "a", Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Content-Length"] = []string{"100"}
		_, _ = io.WriteString(w, "the first part")
		if r.URL.Path == "/broken" {
			panic(http.ErrAbortHandler)
		}
	})}
	e.Publish(NewTable(map[string]*Site{"app.test": site}))
	for _, path := range []string{"/broken", "/short"} {
		if got, err := e.try(http.MethodGet, "app.test", path, nil); err == nil {
			t.Errorf("the answer is whole: %+v", got)
		}
	}
	if _, n := site.Answered(); n != 1 { // the other is net/http's to find out
		t.Errorf("%d answers are counted as broken off", n)
	}
}

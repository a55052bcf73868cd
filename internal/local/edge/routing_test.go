package edge

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

func TestRouting_Patterns(t *testing.T) {
	for _, c := range []struct {
		pattern, path string
		want          bool
	}{
		{"hello.txt", "/hello.txt", true},
		{"/hello.txt", "/hello.txt", true},
		{"hello.txt", "/Hello.txt", false},
		{"hello.txt", "/hello.txt/", false},
		{"_next/*", "/_next/static/a/b.js", true},
		{"_next/*", "/_next", false},
		{"_next/*", "/x/_next/a", false},
		{"_next/image*", "/_next/image", true},
		{"_next/image*", "/_next/imagine", false},
		{"base//api/*", "/base/api/x", true},
		{"*.jpg", "/a/b.jpg", true},
		{"*.jpg", "/a/b.jpeg", false},
		{"a?c", "/abc", true},
		{"a?c", "/ac", false},
		{"*/x/*/y", "/1/x/2/x/3/y", true},
		{"a*b*c", "/axxbxxc", true},
		{"a*b*c", "/axxcxxb", false},
		{"/*", "/", true},
	} {
		if got := matchesPattern(normalPattern(c.pattern), c.path); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.path, got)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("a*b?c", "/aXbYc")
	f.Add("*", "")
	f.Add("**?**", "/\x00")
	f.Add(strings.Repeat("*a", 50), "/"+strings.Repeat("a", 60)+"b")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if !strings.ContainsAny(pattern, "*?") && matchesPattern(pattern, path) != (pattern == path) {
			t.Errorf("%q on %q", pattern, path)
		}
		if !matchesPattern("*"+pattern+"*", pattern) {
			t.Errorf("%q does not match itself", pattern)
		}
	})
}

// storefront returns a site with the behaviours that OpenNext writes, in its order: the default
// before the static ones.
func storefront(t testing.TB) *Site {
	yesterday := assets(t, "", map[string]string{"_next/static/chunks/old.js": "old chunk", "old.txt": "old public file"})
	return &Site{
		ID: "d1",
		Assets: assets(t, "", map[string]string{
			"hello.txt": "hello", "_next/static/chunks/new.js": "new chunk",
			"_next/static/chunks/app/[slug]/page.js": "slug", "api/shadowed.txt": "never", "plus+sign.txt": "plus",
		}),
		Shared: func(path string) (asset.Asset, *Rule, bool) {
			a, ok := yesterday.Lookup(path)
			return a, nil, ok
		},
		Routes: []Route{
			{Pattern: "_next/image*", Target: says("image")},
			{Pattern: "api/*", Target: says("api")},
			{Pattern: "_next/data/*", Target: says("data")},
			{Pattern: "*", Target: says("never: the default has no place")},
			{Pattern: "BUILD_ID", Static: true},
			{Pattern: "_next/*", Static: true},
			{Pattern: "hello.txt", Static: true},
		},
		Default: says("default"),
	}
}

func TestRouting(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": storefront(t)})
	for _, c := range []struct {
		method, target string
		status         int
		body           string
	}{
		{"GET", "/", 200, "default"},
		{"GET", "/products/1?x=1", 200, "default"},
		{"GET", "/hello.txt", 200, "hello"},
		{"GET", "/hello.txt?v=2", 200, "hello"},
		{"GET", "/%68ello.txt", 200, "hello"},
		{"GET", "/plus+sign.txt", 200, "plus"},
		{"GET", "/_next/image?url=%2Fa.png&w=64", 200, "image"},
		{"GET", "/_next/data/b1/index.json", 200, "data"},
		{"GET", "/_next/static/chunks/new.js", 200, "new chunk"},
		{"GET", "/_next/static/chunks/old.js", 200, "old chunk"},
		{"GET", "/_next/static/chunks/app/%5Bslug%5D/page.js", 200, "slug"},
		{"GET", "/_next/static/chunks/app/[slug]/page.js", 200, "slug"},
		{"GET", "/_next/static/chunks/none.js", 404, "Not Found\n"},
		{"GET", "/_next/unknown", 200, "default"},
		{"GET", "/old.txt", 200, "default"},
		{"GET", "/BUILD_ID", 200, "default"},
		{"GET", "/api/shadowed.txt", 200, "api"},
		{"GET", "/API/x", 200, "default"},
		{"POST", "/api/x", 200, "api"},
		{"POST", "/hello.txt", 200, "default"},
		{"OPTIONS", "/hello.txt", 200, "default"},
		{"POST", "/_next/static/chunks/none.js", 200, "default"},
		{"HEAD", "/hello.txt", 200, ""},
		{"HEAD", "/_next/static/chunks/none.js", 404, ""},
	} {
		got := e.request(t, c.method, "a.test", c.target, nil)
		if got.status != c.status || got.body != c.body {
			t.Errorf("%s %s: %d %q, want %d %q", c.method, c.target, got.status, got.body, c.status, c.body)
		}
	}
}

func TestRouting_MissingChunkIsNeverCachedOrHTML(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": storefront(t)})
	h := e.get(t, "a.test", "/_next/static/chunks/none.js").header
	if h.Get("Cache-Control") != "no-store" || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
		t.Errorf("%v", h)
	}
}

func TestRouting_BasePath(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {
		Assets: assets(t, "/docs", map[string]string{"hello.txt": "hello", "_next/static/a.js": "chunk"}),
		Routes: []Route{
			{Pattern: "docs/_next/image*", Target: says("image")},
			{Pattern: "docs//api/*", Target: says("api")},
			{Pattern: "docs/_next/*", Static: true},
		},
		Default: says("default"),
	}})
	for target, want := range map[string]string{
		"/docs/hello.txt": "hello", "/docs/_next/static/a.js": "chunk", "/docs/_next/image?w=1": "image",
		"/docs/api/x": "api", "/hello.txt": "default", "/_next/static/a.js": "default",
		"/docs/_next/static/none.js": "Not Found\n",
	} {
		if got := e.get(t, "a.test", target); got.body != want {
			t.Errorf("%s: %q, want %q", target, got.body, want)
		}
	}
}

func TestRouting_EveryMethodReachesFunctions(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {
		Routes: []Route{{Pattern: "api/*", Target: echoesRequest}}, Default: echoesRequest,
	}})
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"} {
		for _, target := range []string{"/page", "/api/x"} {
			got := e.request(t, method, "a.test", target, strings.NewReader("body"))
			if got.status != 200 || !strings.HasPrefix(got.body, method+" "+target+"\n") {
				t.Errorf("%s %s: %d %q", method, target, got.status, got.body)
			}
		}
	}
	if got := e.request(t, "HEAD", "a.test", "/page", nil); got.status != 200 || got.body != "" {
		t.Errorf("HEAD: %d %q", got.status, got.body)
	}
	for _, method := range []string{"TRACE", "CONNECT"} {
		if status := e.raw(t, method+" / HTTP/1.1\r\nHost: a.test\r\n\r\n"); status != 501 {
			t.Errorf("%s: status %d", method, status)
		}
	}
}

func TestRouting_HeadReachesFunction(t *testing.T) {
	e := start(t, Config{})
	seen := make(chan string, 1)
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Method
	})}})
	e.request(t, "HEAD", "a.test", "/", nil)
	if method := <-seen; method != "HEAD" {
		t.Errorf("the function saw %s", method)
	}
}

func TestRouting_EncodedPathsStayUnchanged(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: echoesRequest}})
	for _, target := range []string{"/a%2Fb", "/caf%C3%A9?q=%20", "/a//b", "/a%5Cb", "/%5Bslug%5D", "/?a=1&a=2", "/a;b"} {
		if got := e.get(t, "a.test", target); !strings.HasPrefix(got.body, "GET "+target+"\n") {
			t.Errorf("%s: the function saw %q", target, got.body)
		}
	}
}

var hostilePaths = []string{
	"/a/..%2f..%2fetc/passwd", "/..%5c..%5cetc/passwd", "/hello.txt%00", "/%00", "/_next/static/..%2f..%2fBUILD_ID",
	"/admin%2f..", "/x/..%2Fadmin", "/x/%2e%2e%2fadmin", "/../..%5chello.txt",
}

func TestRouting_HostilePaths(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": storefront(t)})
	for _, target := range hostilePaths {
		if status := e.raw(t, "GET "+target+" HTTP/1.1\r\nHost: a.test\r\n\r\n"); status != 400 {
			t.Errorf("%s: status %d", target, status)
		}
	}
	for _, target := range []string{"/a..b", "/...", "/..a/x", "/v1..v2"} {
		if status := e.raw(t, "GET "+target+" HTTP/1.1\r\nHost: a.test\r\n\r\n"); status != 200 {
			t.Errorf("%s is harmless: status %d", target, status)
		}
	}
	for _, line := range []string{"GET /%zz HTTP/1.1", "GET hello.txt HTTP/1.1", "GET  HTTP/1.1", "GET / HTTP/9"} {
		if status := e.raw(t, line+"\r\nHost: a.test\r\n\r\n"); status < 400 {
			t.Errorf("%s: status %d", line, status)
		}
	}
}

func FuzzResolve(f *testing.F) {
	for _, path := range append(hostilePaths, "/hello.txt", "/_next/static/chunks/new.js", "", "*", "/_next/image") {
		f.Add(path)
	}
	site := storefront(f)
	f.Fuzz(func(t *testing.T, path string) {
		if isHostile(path) {
			return
		}
		got := site.resolveTarget("GET", &url.URL{Path: path})
		if got.found && strings.Contains("/"+got.asset.Path(), "..") {
			t.Errorf("%q resolves to %q", path, got.asset.Path())
		}
	})
}

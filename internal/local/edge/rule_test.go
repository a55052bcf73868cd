package edge

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// letsPass is a function that behaves like an app's routing: it requires a cookie before it names a
// file, and adds headers to the requests that it lets pass.
func letsPass(w http.ResponseWriter, r *http.Request) {
	if r.URL.EscapedPath() == "/rewritten" {
		w.Header().Set(HeaderFile, "/private/report.txt")
		return
	}
	if strings.HasPrefix(r.URL.EscapedPath(), "/private/") && r.Header.Get("Cookie") == "" {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if !strings.HasPrefix(r.URL.EscapedPath(), "/private/") {
		io.WriteString(w, "page")
		return
	}
	h := w.Header()
	h.Set(HeaderFile, r.URL.EscapedPath())
	h["Set-Cookie"] = []string{"a=1", "b=2"}
	h.Set("X-From-Middleware", "yes")
	h.Set("Cache-Control", "private")
	h.Set("Vary", "Cookie")
	h.Set("Content-Encoding", "br")
	h.Set("Content-Length", "4")
	io.WriteString(w, "body")
}

func ruledSite(t testing.TB) *Site {
	return &Site{
		Header: http.Header{"X-Anchor-Deployment": {"d1"}},
		Assets: assets(t, "", map[string]string{
			"private/report.txt": "secret", "private/long.txt": strings.Repeat("secret ", 2000), "font.woff2": "font", "free.txt": "free",
			"_next/static/a.js": "chunk", "private/a b.txt": "spaced",
		}),
		Rules: map[string]*Rule{
			"/private/report.txt": {Ask: true, Header: http.Header{"X-Frame-Options": {"DENY"}, "Cache-Control": {"no-cache"}}},
			"/private/long.txt":   {Ask: true},
			"/private/a b.txt":    {Ask: true},
			"/font.woff2":         {Header: http.Header{"Cache-Control": {"public, max-age=604800"}, "Vary": {"Origin"}, "Set-Cookie": {"x=1"}}},
			"/_next/static/a.js":  {Header: http.Header{"X-Static": {"1"}}},
		},
		Default: http.HandlerFunc(letsPass),
	}
}

func TestRule_FileNamedByFunction(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": ruledSite(t)})
	for _, target := range []string{
		"/private/report.txt", "/private/report.txt?x=1", "/%70rivate/report.txt", "/private/repor%74.txt", "/x/../private/report.txt",
		"/private/a%20b.txt",
	} {
		if got := e.get(t, "a.test", target); got.status != 401 || strings.Contains(got.body, "secret") {
			t.Errorf("%s without a cookie: %d %q", target, got.status, got.body)
		}
		if got := e.request(t, "HEAD", "a.test", target, nil, "If-None-Match", "*"); got.status != 401 {
			t.Errorf("HEAD %s without a cookie: %d", target, got.status)
		}
		if got := e.get(t, "a.test", target, "Cookie", "auth=1", "Accept-Encoding", "identity"); got.status != 200 ||
			got.body != "secret" && got.body != "spaced" {
			t.Errorf("%s with a cookie: %d %q", target, got.status, got.body)
		}
	}
	if got := e.get(t, "a.test", "/private%2freport.txt", "Cookie", "auth=1"); strings.Contains(got.body, "secret") {
		t.Errorf("an encoded slash separates segments: %d %q", got.status, got.body)
	}
	if got := e.get(t, "a.test", "/rewritten"); got.body != "secret" {
		t.Errorf("a rewrite to a file: %d %q", got.status, got.body)
	}
}

func TestRule_NamedFileHasAnswerHeaders(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": ruledSite(t)})
	got := e.get(t, "a.test", "/private/report.txt", "Cookie", "auth=1")
	for name, want := range map[string]string{
		"X-From-Middleware": "yes", "Cache-Control": "private", "Vary": "Cookie", "Content-Encoding": "", "Content-Length": "6",
		"X-Frame-Options": "DENY", "Content-Type": "text/plain; charset=utf-8", HeaderFile: "", "X-Anchor-Deployment": "d1",
	} {
		if said := got.header.Get(name); said != want {
			t.Errorf("%s: %q, want %q", name, said, want)
		}
	}
	if len(got.header["Set-Cookie"]) != 2 || got.header.Get("Etag") == "" || got.header.Get("X-Request-Id") == "" {
		t.Errorf("headers %v", got.header)
	}

	again := e.get(t, "a.test", "/private/report.txt", "Cookie", "auth=1", "If-None-Match", got.header.Get("Etag"))
	if again.status != 304 || again.body != "" || again.header.Get("X-From-Middleware") != "yes" {
		t.Errorf("revalidated: %d %v", again.status, again.header)
	}
	part := e.get(t, "a.test", "/private/report.txt", "Cookie", "auth=1", "Range", "bytes=1-2")
	if part.status != 206 || part.body != "ec" {
		t.Errorf("range: %d %q", part.status, part.body)
	}
	head := e.request(t, "HEAD", "a.test", "/private/report.txt", nil, "Cookie", "auth=1")
	if head.status != 200 || head.header.Get("Content-Length") != "6" || head.header.Get("X-From-Middleware") != "yes" {
		t.Errorf("HEAD: %d %v", head.status, head.header)
	}
	coded := e.get(t, "a.test", "/private/long.txt", "Cookie", "auth=1", "Accept-Encoding", "br")
	if coded.header.Get("Content-Encoding") != "br" || strings.Join(coded.header["Vary"], ", ") != "Accept-Encoding, Cookie" {
		t.Errorf("coded: %v", coded.header)
	}
}

func TestRule_OtherMethods(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": ruledSite(t)})
	if got := e.request(t, "POST", "a.test", "/private/report.txt", strings.NewReader("x")); got.status != 401 {
		t.Errorf("POST without a cookie: %d", got.status)
	}
	got := e.request(t, "POST", "a.test", "/private/report.txt", strings.NewReader("x"), "Cookie", "auth=1")
	if got.status != 405 || got.header.Get("Allow") != "GET, HEAD" || got.header.Get("X-From-Middleware") != "yes" {
		t.Errorf("POST with a cookie: %d %v", got.status, got.header)
	}
}

func TestRule_HeadersWithoutFunction(t *testing.T) {
	e := start(t, Config{})
	site := ruledSite(t)
	site.Default = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the function was called") })
	yesterday := assets(t, "", map[string]string{"_next/static/old.js": "old chunk"})
	site.Shared = func(path string) (asset.Asset, *Rule, bool) {
		a, ok := yesterday.Lookup(path)
		return a, &Rule{Header: http.Header{"X-Old": {"1"}}}, ok
	}
	e.publish(map[string]*Site{"a.test": site})
	got := e.get(t, "a.test", "/font.woff2")
	if got.body != "font" || got.header.Get("Cache-Control") != "public, max-age=604800" || got.header.Get("Vary") != "Origin" ||
		got.header.Get("Set-Cookie") != "x=1" || got.header.Get("X-Anchor-Deployment") != "d1" {
		t.Errorf("%q %v", got.body, got.header)
	}
	if got := e.get(t, "a.test", "/font.woff2", "If-None-Match", got.header.Get("Etag")); got.status != 304 || got.header.Get("Cache-Control") != "public, max-age=604800" {
		t.Errorf("revalidated: %d %v", got.status, got.header)
	}
	if got := e.get(t, "a.test", "/_next/static/a.js"); got.body != "chunk" || got.header.Get("X-Static") != "1" {
		t.Errorf("%q %v", got.body, got.header)
	}
	if got := e.get(t, "a.test", "/_next/static/old.js"); got.body != "old chunk" || got.header.Get("X-Old") != "1" {
		t.Errorf("%q %v", got.body, got.header)
	}
	if got := e.get(t, "a.test", "/free.txt"); got.body != "free" || got.header.Get("Cache-Control") != "public,max-age=0,must-revalidate" {
		t.Errorf("%q %v", got.body, got.header)
	}
}

func TestRule_ExternalMiddlewareDecides(t *testing.T) {
	e := start(t, Config{})
	site := ruledSite(t)
	site.Default = says("the server knows nothing of files")
	site.MiddlewareRoutes = []string{"*"}
	site.Middleware = decide(func(r *http.Request) (Decision, error) {
		w := httptest.NewRecorder()
		letsPass(w, r)
		return Decision{Response: w.Result()}, nil
	})
	e.publish(map[string]*Site{"a.test": site})
	if got := e.get(t, "a.test", "/private/report.txt"); got.status != 401 {
		t.Errorf("without a cookie: %d %q", got.status, got.body)
	}
	got := e.get(t, "a.test", "/private/report.txt", "Cookie", "auth=1")
	if got.body != "secret" || got.header.Get("X-From-Middleware") != "yes" || got.header.Get(HeaderFile) != "" {
		t.Errorf("with a cookie: %d %q %v", got.status, got.body, got.header)
	}
	if got := e.get(t, "a.test", "/free.txt"); got.body != "free" {
		t.Errorf("a file without rule: %q", got.body)
	}
}

func TestRule_NamedFileMissing(t *testing.T) {
	e := start(t, Config{})
	site := ruledSite(t)
	site.Default = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.Header().Set(HeaderFile, r.URL.Query().Get("name")) })
	e.publish(map[string]*Site{"a.test": site})
	for _, name := range []string{"/none.txt", "/../../etc/passwd", "/%zz", "private/report.txt"} {
		got := e.get(t, "a.test", "/x?name="+strings.ReplaceAll(name, "%", "%25"))
		if got.status != 404 || got.header.Get(HeaderFile) != "" {
			t.Errorf("%s: %d %v", name, got.status, got.header)
		}
	}
}

func TestNamed(t *testing.T) {
	e := New(Config{})
	site := ruledSite(t)
	for target, want := range map[string]string{
		"/free.txt": "free.txt", "/private/report.txt": "", "/rewritten": "private/report.txt", "/page": "", "/none.txt": "",
	} {
		r := httptest.NewRequestWithContext(context.Background(), "GET", "http://a.test"+target, nil)
		found, ok := e.Named(site, r)
		if ok != (want != "") || ok && found.Path() != want {
			t.Errorf("%s: %v", target, ok)
		}
	}
}

// TestRule_SpelledAs: the app's matchers see the path as a browser writes it.
func TestRule_SpelledAs(t *testing.T) {
	for sent, want := range map[string]string{
		"/%70rivate/a.txt":             "/private/a.txt",
		"/(private)/a!.txt":            "/(private)/a!.txt",
		"/%28private%29/a%21.txt?q=%2": "/(private)/a!.txt?q=%2",
		"/a%5b1%5D'*.txt":              "/a[1]'*.txt",
		"/a%20b%2b%c3%bc.txt":          "/a%20b+%C3%BC.txt",
		"/100%25%2541.txt":             "/100%25%2541.txt",
		"/a%22%3c%7C%5e.txt":           "/a%22%3C%7C%5E.txt",
	} {
		r := spelledAs(httptest.NewRequest(http.MethodGet, sent, nil))
		path, _, _ := strings.Cut(want, "?")
		if r.RequestURI != want || r.URL.RequestURI() != want || r.URL.EscapedPath() != path {
			t.Errorf("%s: %s, %s, want %s", sent, r.RequestURI, r.URL.RequestURI(), want)
		}
	}
}

package worker

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

var shopFiles = Files{
	BasePath: "/shop", Locales: []string{"en", "de"},
	Paths: []string{"/shop/private/report.txt", "/shop/a b+ü%.txt", "/shop/en.txt"},
}

// namedFiles are the files that requests are for, once the app's routing has passed them.
var namedFiles = map[string]string{
	"/shop/private/report.txt":       "/shop/private/report.txt",
	"/shop/private/report.txt/":      "/shop/private/report.txt",
	"/shop/%70rivate/report.txt":     "/shop/private/report.txt",
	"/shop/de/private/report.txt":    "/shop/private/report.txt",
	"/shop/de/%70rivate/report.txt":  "",
	"/shop/%64e/private/report.txt":  "",
	"/shop/de/private/report%2Etxt":  "",
	"/shop/en/a%20b+%C3%BC%25.txt":   "/shop/a%20b%2B%C3%BC%25.txt",
	"/shop/a%20b%2B%C3%BC%25.txt":    "/shop/a%20b%2B%C3%BC%25.txt",
	"/shop/a%20b+%C3%BC%25.txt":      "/shop/a%20b%2B%C3%BC%25.txt",
	"/shop/en.txt":                   "/shop/en.txt",
	"/shop/_next/static/old/x.js":    "/shop/_next/static/old/x.js", // the edge keeps those of earlier deployments
	"/shop/private%2freport.txt":     "",
	"/shop/private%5creport.txt":     "",
	"/shop/fr/private/report.txt":    "",
	"/shop/PRIVATE/report.txt":       "",
	"/private/report.txt":            "",
	"/shop/private/none.txt":         "",
	"/shop":                          "",
	"/":                              "",
	"/shop/constructor":              "",
	"/shop/de/de/private/report.txt": "",
}

func TestFiles_NamedByRouting(t *testing.T) {
	t.Parallel()
	pool, _ := newTestPool(t, Spec{Dir: "testdata/routing", Files: shopFiles})
	for target, want := range namedFiles {
		w := httptest.NewRecorder()
		pool.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if got := w.Header().Get(FileHeader); got != want {
			t.Errorf("%s: names %q, want %q", target, got, want)
		}
		if rule := w.Header().Get("X-Rule"); (rule == "1") != (want != "") {
			t.Errorf("%s: the rule's header is %q", target, rule)
		}
	}
}

func TestFiles_NamedByMiddleware(t *testing.T) {
	t.Parallel()
	pool, _ := newTestPool(t, Spec{Dir: "testdata/routing", Handler: "index.middleware", Event: CloudFrontRequest, Files: shopFiles})
	m, err := NewMiddleware(pool)
	if err != nil {
		t.Fatal(err)
	}
	d := run(t, m, httptest.NewRequest("GET", "/shop/private/report.txt", nil))
	if d.Response == nil || d.Response.Header.Get(FileHeader) != "/shop/private/report.txt" || d.Response.Header.Get("X-Rule") != "1" {
		t.Errorf("%+v", d.Response)
	}
	if d := run(t, m, httptest.NewRequest("GET", "/shop/page", nil)); d.Response != nil {
		t.Errorf("a page: %+v", d.Response)
	}
	r := httptest.NewRequest("GET", "/forged", nil)
	r.Header.Set("X-Try", "/shop/private/report.txt")
	if d := run(t, m, r); d.Response == nil || d.Response.Header.Get(FileHeader) != "" {
		t.Errorf("forged: %+v", d.Response)
	}
}

// TestFiles_NamedByRoutingOnly: a server whose answer the app passes on must not reach the app's
// files.
func TestFiles_NamedByRoutingOnly(t *testing.T) {
	t.Parallel()
	pool, _ := newTestPool(t, Spec{Dir: "testdata/routing", Files: shopFiles})
	for _, forged := range []string{"/shop/private/report.txt", " /shop/private/report.txt", "undefined /shop/private/report.txt"} {
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/forged", nil)
		r.Header.Set("X-Try", forged)
		pool.ServeHTTP(w, r)
		if got, there := w.Header()[FileHeader]; w.Code != http.StatusOK || there {
			t.Errorf("%q: status %d, names %q", forged, w.Code, got)
		}
	}
}

func TestFiles_NoneWithoutRules(t *testing.T) {
	t.Parallel()
	pool, _ := newTestPool(t, Spec{Dir: "testdata/routing"})
	w := httptest.NewRecorder()
	pool.ServeHTTP(w, httptest.NewRequest("GET", "/_next/static/x.js", nil))
	if w.Code != http.StatusNotFound || w.Header().Get(FileHeader) != "" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
}

package edge

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// spelled maps paths as a client may send them to the result of new URL("https://a.test" +
// path).pathname in a browser. The last group is an exception: browsers leave "|" and "^" as they
// are.
var spelled = map[string]string{
	// Single dots.
	"/admin/.": "/admin/", "/./admin": "/admin", "/admin/%2e": "/admin/", "/admin/%2E": "/admin/", "/%2e/admin": "/admin",
	"/admin/./": "/admin/", "/.": "/", "/%2e": "/", "/./.": "/", "/././admin/.": "/admin/",
	// Double dots.
	"/x/../admin": "/admin", "/x/%2e%2e/admin": "/admin", "/x/%2E./admin": "/admin", "/x/.%2E/admin": "/admin",
	"/admin/.%2e/admin": "/admin", "/admin/x/..": "/admin/", "/..": "/", "/../../admin": "/admin", "/a/%2e%2E": "/",
	"/_next/static/../../admin": "/admin", "/a/b/../../../c": "/c", "/x//../admin": "/x/admin",
	// Backslashes.
	`/x\..\admin`: "/admin", `/admin\.`: "/admin/", `/\admin`: "//admin", `\admin`: "", `/x/..\admin`: "/admin", `/a\b`: "/a/b",
	// Parts that carry meaning stay.
	"/admin": "/admin", "//admin": "//admin", "///admin": "///admin", "/admin//": "/admin//", "/ADMIN": "/ADMIN",
	"/%61dmin": "/%61dmin", "/a%2Fb": "/a%2Fb", "/a%2fb": "/a%2fb", "/a%5Cb": "/a%5Cb", "/a%5cb": "/a%5cb",
	"/admin;/x": "/admin;/x", "/a;b=../c": "/a;b=../c", "/...": "/...", "/.well-known/x": "/.well-known/x", "/..a": "/..a",
	"/%2e%2e%2e": "/%2e%2e%2e", "/a.%2e.": "/a.%2e.", "/caf%C3%A9": "/caf%C3%A9", "/cafe%CC%81": "/cafe%CC%81",
	"/%5Bslug%5D": "/%5Bslug%5D", "/[slug]": "/[slug]", "/a+b": "/a+b", "/%252e%252e/admin": "/%252e%252e/admin",
	// Characters that must not be in a path are encoded, and an encoded slash beside them stays
	// one.
	`/a%2Fb"c`: "/a%2Fb%22c", "/{x}": "/%7Bx%7D", "/a<b>": "/a%3Cb%3E", "/a%2e`/": "/a%2e%60/",
	"/a|b^": "/a%7Cb%5E",
}

func TestPath_NormalizedForEveryPart(t *testing.T) {
	e := start(t, Config{})
	saw := make(chan *http.Request, 1)
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		saw <- r
	})}})
	for sent, want := range spelled {
		if want == "" {
			if status := e.raw(t, "GET "+sent+" HTTP/1.1\r\nHost: a.test\r\n\r\n"); status != 400 {
				t.Errorf("%s: status %d", sent, status)
			}
			continue
		}
		if status := e.raw(t, "GET "+sent+"?q=/../x HTTP/1.1\r\nHost: a.test\r\n\r\n"); status != 200 {
			t.Errorf("%s: status %d", sent, status)
			continue
		}
		r := <-saw
		decoded, err := url.PathUnescape(want)
		if err != nil {
			t.Fatal(err)
		}
		if r.RequestURI != want+"?q=/../x" || r.URL.EscapedPath() != want || r.URL.Path != decoded {
			t.Errorf("%s: the function saw %s, path %s, decoded %s; want %s", sent, r.RequestURI, r.URL.EscapedPath(), r.URL.Path, want)
		}
	}
}

func TestPath_NormalizedChoosesFilesAndFunctions(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": storefront(t)})
	for sent, want := range map[string]string{
		"/../hello.txt": "hello", "/%2e%2e/hello.txt": "hello", "/_next/static/../../hello.txt": "hello", `/x\..\hello.txt`: "hello",
		"/x/../api/y": "api", "/hello.txt/.": "default", "/api/../x": "default", "/api/%2e%2e/hello.txt": "hello",
	} {
		c, r := e.dial(t)
		fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: a.test\r\n\r\n", sent)
		if got := bodyOf(t, r); got != want {
			t.Errorf("%s: answered by %q, want %q", sent, got, want)
		}
	}
}

func bodyOf(t *testing.T, r *bufio.Reader) string {
	t.Helper()
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestMiddleware_SeesNormalizedPaths(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": guardedShop(t, func(r *http.Request) (Decision, error) {
		if strings.HasPrefix(r.URL.EscapedPath(), "/admin") {
			return Decision{Response: &http.Response{StatusCode: 401, Body: http.NoBody}}, nil
		}
		return Decision{}, nil
	})})
	for _, target := range []string{"/admin/.", "/./admin", "/admin/%2e", "/x/../admin", "/x/%2e%2e/admin", "/admin/.%2e/admin", `/x\..\admin`, "http://a.test/x/../admin"} {
		if status := e.raw(t, "GET "+target+" HTTP/1.1\r\nHost: a.test\r\n\r\n"); status != 401 {
			t.Errorf("%s passed the middleware: status %d", target, status)
		}
	}
}

func TestRedirect_ToHTTPSNormalizesPath(t *testing.T) {
	e := start(t, Config{})
	e.Publish(NewTable(map[string]*Site{"a.test": {Default: says("x")}}).With(map[string]Policy{"a.test": {HTTPSOnly: true}}))
	c, r := e.dial(t)
	fmt.Fprint(c, "GET /x/../admin?q HTTP/1.1\r\nHost: a.test\r\n\r\n")
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if got := res.Header.Get("Location"); got != "https://a.test/admin?q" {
		t.Errorf("Location %s", got)
	}
}

func TestDispatch_NormalizesPaths(t *testing.T) {
	e := New(Config{})
	site := &Site{Default: echoesRequest}
	for _, target := range []string{"/x/../admin", "/admin/%2e%2E/./admin", `/x\..\admin`} {
		r := httptest.NewRequestWithContext(context.Background(), "HEAD", "http://a.test"+target, nil)
		w := httptest.NewRecorder()
		e.Dispatch(site, w, r)
		if got, _, _ := strings.Cut(w.Body.String(), "\n"); got != "HEAD /admin" {
			t.Errorf("%s: the function saw %q", target, got)
		}
	}
}

// FuzzNormalPath checks that a normalized path has nothing left to resolve, and that net/url keeps its spelling.
func FuzzNormalPath(f *testing.F) {
	for sent := range spelled {
		f.Add(sent)
	}
	f.Fuzz(func(t *testing.T, target string) {
		u, err := url.ParseRequestURI(target)
		if err != nil || !strings.HasPrefix(u.Path, "/") {
			return
		}
		r := normalizePath(&http.Request{URL: u, RequestURI: target})
		if again := normalizePath(r); again.URL.EscapedPath() != r.URL.EscapedPath() {
			t.Errorf("%q: %q becomes %q", target, r.URL.EscapedPath(), again.URL.EscapedPath())
		}
		for segment := range strings.SplitSeq(r.URL.EscapedPath(), "/") {
			if dotSegment(segment) > 0 {
				t.Errorf("%q keeps dot segments: %q", target, r.URL.EscapedPath())
			}
		}
		if r.URL.RawPath != "" && r.URL.EscapedPath() != r.URL.RawPath {
			t.Errorf("%q: net/url replaces %q by %q", target, r.URL.RawPath, r.URL.EscapedPath())
		}
	})
}

// A query that is not UTF-8 is the app's to read: URLSearchParams replaces what it cannot decode, and next start answers 200.
func TestEdge_KeepsQueries(t *testing.T) {
	e := start(t, Config{})
	saw := make(chan string, 1)
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		saw <- r.RequestURI
	})}})
	for _, target := range []string{"/p?q=%FF", "/p?%C3", "/p?q=%E0%A4&r=%", "/a%2Fb%C3%A9?x=%2F", "/caf%c3%a9?%ED%A0%80"} {
		if status := e.raw(t, "GET "+target+" HTTP/1.1\r\nHost: a.test\r\n\r\n"); status != 200 {
			t.Errorf("%s: status %d", target, status)
		} else if got := <-saw; got != target {
			t.Errorf("%s: the function saw %s", target, got)
		}
	}
}

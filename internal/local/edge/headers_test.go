package edge

import (
	"bufio"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
)

// seenBy returns the headers that the function saw of a request.
func seenBy(t *testing.T, a answer) http.Header {
	t.Helper()
	_, rest, _ := strings.Cut(a.body, "\n")
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET / HTTP/1.1\r\n" + rest + "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	return r.Header
}

func TestHeaders_FromOutside(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: echoesRequest}})
	_, port, _ := strings.Cut(e.addr, ":")
	for _, c := range []struct{ name, sent, want string }{
		{"X-Forwarded-Host", "evil.test", "a.test:" + port},
		{"X-Forwarded-Proto", "https", "http"},
		{"X-Forwarded-Port", "443", port},
		{"X-Forwarded-For", "1.2.3.4", "127.0.0.1"},
		{"X-Real-Ip", "1.2.3.4", "127.0.0.1"},
		{"Forwarded", "for=1.2.3.4", ""},
		{"X-Open-Next-City", "Paris", ""},
		{"X-Opennext-Initial-Url", "http://evil.test", ""},
		{"X-Opennext-Resolved-Routes", "[]", ""},
		{"X-Vercel-Ip-Country", "FR", ""},
		{"X-Middleware-Subrequest", "middleware:middleware:middleware", ""},
		{"x-middleware-rewrite", "/admin", ""},
		{"X-Middleware-Response-Set-Cookie", "a=b", ""},
		{"X-Middleware-Override-Headers", "authorization", ""},
		{"X-Invoke-Path", "/admin", ""},
		{"X-Invoke-Status", "500", ""},
		{"X-Anchor-Peer", "1.2.3.4", ""},
		{"X-Now-Route-Matches", "1", ""},
		{"X-Matched-Path", "/admin", ""},
		{"Next-Resume", "1", ""},
		{"X-Isr", "1", ""},
		{"X-Prerender-Revalidate", "guess", "guess"},
		{"X-Middleware-Prefetch", "1", "1"},
		{"X-Nextjs-Data", "1", "1"},
		{"Rsc", "1", "1"},
		{"Next-Router-State-Tree", "%5B%5D", "%5B%5D"},
		{"Authorization", "Bearer x", "Bearer x"},
		{"Cookie", "a=1; b=2", "a=1; b=2"},
		{"X-Vercel-Signature", "of a webhook", "of a webhook"},
		{"Keep-Alive", "5", ""},
		{"Te", "trailers", ""},
		{"Upgrade", "h2c", ""},
	} {
		got := seenBy(t, e.get(t, "a.test:"+port, "/", c.name, c.sent)).Get(c.name)
		if got != c.want {
			t.Errorf("%s: %q became %q, want %q", c.name, c.sent, got, c.want)
		}
	}
}

func TestHeaders_ConnectionCannotRemoveForwarded(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: echoesRequest}})
	h := seenBy(t, e.get(t, "a.test", "/", "Connection", "x-forwarded-host, x-custom", "X-Custom", "1"))
	if h.Get("X-Forwarded-Host") != "a.test" || h.Get("X-Forwarded-Port") != "80" || h.Get("X-Custom") != "" {
		t.Errorf("%v", h)
	}
}

func TestHeaders_TrustedProxy(t *testing.T) {
	e := start(t, Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	e.publish(map[string]*Site{"a.test": {Default: echoesRequest}})
	h := seenBy(t, e.get(t, "a.test", "/", "X-Forwarded-For", "1.2.3.4", "X-Forwarded-For", "5.6.7.8",
		"X-Forwarded-Proto", "https", "X-Forwarded-Host", "other.test"))
	if h.Get("X-Forwarded-For") != "1.2.3.4, 5.6.7.8, 127.0.0.1" || h.Get("X-Forwarded-Proto") != "https" ||
		h.Get("X-Forwarded-Port") != "443" || h.Get("X-Forwarded-Host") != "a.test" {
		t.Errorf("%v", h)
	}
	h = seenBy(t, e.get(t, "a.test", "/", "X-Forwarded-Proto", "javascript", "X-Forwarded-Port", "no"))
	if h.Get("X-Forwarded-Proto") != "http" || h.Get("X-Forwarded-Port") != "80" {
		t.Errorf("nonsense of a trusted proxy was kept: %v", h)
	}
}

func TestHeaders_RequestID(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: echoesRequest}})
	for _, c := range []struct {
		sent string
		kept bool
	}{
		{"0af7651916cd43dd8448eb211c80319c", true},
		{"req_1:2/3", true},
		{"", false},
		{"two words", false},
		{`"quoted"`, false},
		{strings.Repeat("x", 129), false},
	} {
		got := e.get(t, "a.test", "/", "X-Request-Id", c.sent)
		inside, outside := seenBy(t, got).Get("X-Request-Id"), got.header.Get("X-Request-Id")
		if inside == "" || inside != outside || (inside == c.sent) != c.kept {
			t.Errorf("sent %q: the function saw %q, the client got %q", c.sent, inside, outside)
		}
	}
}

func TestHeaders_SiteHeaderOnEveryAnswer(t *testing.T) {
	e := start(t, Config{})
	site := storefront(t)
	site.Header = http.Header{"X-Anchor-Deployment": {"d1"}}
	e.publish(map[string]*Site{"a.test": site})
	for _, target := range []string{"/", "/hello.txt", "/_next/static/none.js"} {
		if h := e.get(t, "a.test", target).header; h.Get("X-Anchor-Deployment") != "d1" || h.Get("Server") != "" {
			t.Errorf("%s: %v", target, h)
		}
	}
}

func TestHeaders_SeveralCookies(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Set-Cookie"] = []string{"a=1", "b=2; HttpOnly"}
	})}})
	if got := e.get(t, "a.test", "/").header["Set-Cookie"]; len(got) != 2 {
		t.Errorf("%q", got)
	}
}

func TestDispatch_IsTrusted(t *testing.T) {
	e := start(t, Config{MaxURLBytes: 10})
	site := &Site{Default: echoesRequest, Assets: assets(t, "", map[string]string{"a.txt": "file"})}
	r := httptest.NewRequest("HEAD", "/a/path/longer/than/the/limit", nil)
	r.Header.Set("X-Isr", "1")
	r.Header.Set("X-Prerender-Revalidate", "preview")
	w := httptest.NewRecorder()
	e.Dispatch(site, w, r)
	for _, want := range []string{"HEAD /a/path", "X-Isr: 1", "X-Prerender-Revalidate: preview"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("%q is missing in what the function saw:\n%s", want, w.Body)
		}
	}
	w = httptest.NewRecorder()
	e.Dispatch(site, w, httptest.NewRequest("GET", "/a.txt", nil))
	if w.Body.String() != "file" || site.inFlight.Load() != 0 {
		t.Errorf("body %q, %d requests in flight", w.Body, site.inFlight.Load())
	}
}

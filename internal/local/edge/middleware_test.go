package edge

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

type decide func(*http.Request) (Decision, error)

func (d decide) Run(_ context.Context, r *http.Request) (Decision, error) { return d(r) }

// guardedShop returns a site whose middleware runs where OpenNext puts it: on the default and on
// split functions, not on images.
func guardedShop(t *testing.T, m decide) *Site {
	site := storefront(t)
	site.Middleware = m
	site.MiddlewareRoutes = []string{"*", "api/*", "_next/data/*"}
	return site
}

func TestMiddleware_RunsByBehavior(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": guardedShop(t, func(r *http.Request) (Decision, error) {
		return Decision{ResponseHeader: http.Header{"X-Middleware-Ran": {"yes"}}}, nil
	})})
	for target, want := range map[string]string{
		"/": "yes", "/%61pi/x": "yes", "/api/x": "yes", "/_next/data/b/x.json": "yes",
		"/_next/image?url=x": "", "/hello.txt": "", "/_next/static/chunks/new.js": "",
	} {
		if got := e.get(t, "a.test", target).header.Get("X-Middleware-Ran"); got != want {
			t.Errorf("%s: ran %q, want %q", target, got, want)
		}
	}
}

func TestMiddleware_Answers(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": guardedShop(t, func(r *http.Request) (Decision, error) {
		return Decision{Response: &http.Response{
			StatusCode: 307,
			Header:     http.Header{"Location": {"/login"}, "Set-Cookie": {"a=1", "b=2"}, "Connection": {"close"}},
			Body:       io.NopCloser(strings.NewReader("go away")),
		}}, nil
	})})
	got := e.get(t, "a.test", "/")
	if got.status != 307 || got.header.Get("Location") != "/login" || len(got.header["Set-Cookie"]) != 2 ||
		got.body != "go away" || got.header.Get("X-Request-Id") == "" {
		t.Errorf("%+v", got)
	}
}

func TestMiddleware_Rewrites(t *testing.T) {
	e := start(t, Config{})
	site := guardedShop(t, func(r *http.Request) (Decision, error) {
		if r.Header.Get("X-Forwarded-Host") != "a.test" {
			return Decision{}, errors.New("headers are not clean")
		}
		h := r.Header.Clone()
		h.Set("X-Opennext-Initial-Url", "http://a.test"+r.RequestURI)
		h.Del("X-Dropped")
		return Decision{
			URL: &url.URL{Path: strings.TrimPrefix(r.URL.Path, "/en"), RawQuery: "lang=en"}, Header: h,
			ResponseHeader: http.Header{"Set-Cookie": {"lang=en"}, "X-Frame-Options": {"DENY"}, "Content-Length": {"1"}},
		}, nil
	})
	site.Default = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Add("Set-Cookie", "session=1")
		w.Header().Set("X-Frame-Options", "SAMEORIGIN")
		echoesRequest(w, r)
	})
	e.publish(map[string]*Site{"a.test": site})

	got := e.get(t, "a.test", "/en/shop?x=1", "X-Dropped", "1")
	if !strings.HasPrefix(got.body, "GET /shop?lang=en\n") || !strings.Contains(got.body, "X-Opennext-Initial-Url: http://a.test/en/shop?x=1") ||
		strings.Contains(got.body, "X-Dropped") {
		t.Errorf("the function saw:\n%s", got.body)
	}
	if len(got.header["Set-Cookie"]) != 2 || got.header.Get("X-Frame-Options") != "DENY" {
		t.Errorf("headers %v", got.header)
	}
	if got := e.get(t, "a.test", "/en/hello.txt"); got.body != "hello" || got.header.Get("Set-Cookie") != "lang=en" {
		t.Errorf("rewritten to a file: %+v", got)
	}
	if got := e.get(t, "a.test", "/en/api/x"); got.body != "api" {
		t.Errorf("rewritten to a split function: %+v", got)
	}
}

func TestMiddleware_Fails(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": guardedShop(t, func(r *http.Request) (Decision, error) {
		return Decision{}, errors.New("secret cause")
	})})
	if got := e.get(t, "a.test", "/"); got.status != 502 || strings.Contains(got.body, "secret cause") {
		t.Errorf("%+v", got)
	}
}

func TestMiddleware_ClientErrors(t *testing.T) {
	var told atomic.Int64
	e := start(t, Config{Upload: fast, Log: slog.New(slog.NewTextHandler(counter{&told}, nil))})
	e.publish(map[string]*Site{"a.test": guardedShop(t, func(r *http.Request) (Decision, error) {
		_, err := io.ReadAll(r.Body)
		return Decision{}, err
	})})
	const post = "POST / HTTP/1.1\r\nHost: a.test\r\n"
	if got := e.raw(t, post+"Content-Length: 100\r\n\r\nhalf"); got != http.StatusRequestTimeout {
		t.Errorf("a stalled body: status %d", got)
	}
	if got := e.raw(t, post+"Transfer-Encoding: chunked\r\n\r\nno size\r\n"); got != http.StatusBadRequest {
		t.Errorf("a malformed body: status %d", got)
	}
	c, r := e.dial(t)
	io.WriteString(c, post+"Content-Length: 100\r\n\r\nhalf")
	c.(*net.TCPConn).CloseWrite()
	if _, err := io.ReadAll(r); err != nil {
		t.Error(err)
	}
	if told.Load() != 0 {
		t.Error("the operator's log reports a failed middleware")
	}
}

// counter counts the octets that are written to it.
type counter struct{ n *atomic.Int64 }

func (c counter) Write(p []byte) (int, error) {
	c.n.Add(int64(len(p)))
	return len(p), nil
}

func TestMiddleware_BrokenBody(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": guardedShop(t, func(r *http.Request) (Decision, error) {
		body, end := io.Pipe()
		go func() {
			io.WriteString(end, "half")
			end.CloseWithError(errors.New("middleware died"))
		}()
		return Decision{Response: &http.Response{StatusCode: 200, Body: body}}, nil
	})})
	if got, err := e.try("POST", "a.test", "/", nil); err == nil {
		t.Errorf("%+v looks whole", got)
	}
}

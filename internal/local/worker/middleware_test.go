package worker

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func newMiddleware(t *testing.T) *Middleware {
	t.Helper()
	pool, _ := newTestPool(t, Spec{Dir: "testdata/middleware", Handler: "handler.handler", Event: CloudFrontRequest})
	m, err := NewMiddleware(pool)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func run(t *testing.T, m *Middleware, r *http.Request) Decision {
	t.Helper()
	d, err := m.Run(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestMiddleware_Answers(t *testing.T) {
	t.Parallel()
	m := newMiddleware(t)
	d := run(t, m, httptest.NewRequest("GET", "/redirect", nil))
	if d.Response == nil || d.Response.Status != 307 || d.Response.Header.Get("Location") != "/to" ||
		!slices.Equal(d.Response.Header["Set-Cookie"], []string{"a=1", "b=2"}) {
		t.Errorf("redirect: %+v", d.Response)
	}
	d = run(t, m, httptest.NewRequest("GET", "/image", nil))
	if d.Response == nil || string(d.Response.Body) != "\x01\x02\xff" {
		t.Errorf("image: %+v", d.Response)
	}
}

func TestMiddleware_Rewrites(t *testing.T) {
	t.Parallel()
	m := newMiddleware(t)
	r := httptest.NewRequest("POST", "http://shop.example/from?q=%26", strings.NewReader("form=1"))
	r.RemoteAddr = "192.0.2.7:1234"
	r.Header.Set("X-Keep", "k")
	r.Header.Set("X-Drop", "d")
	r.Header.Set("X-Forwarded-Proto", "https")
	r.Header.Add("Cookie", "a=1")
	r.Header.Add("Cookie", "b=2")
	d := run(t, m, r)
	if d.Response != nil || d.URL.RequestURI() != "/rewritten/%C3%A9%2Fx?was=%2Ffrom&q=%26" {
		t.Errorf("decision %+v, url %s", d, d.URL)
	}
	for name, want := range map[string]string{
		"X-Keep": "k", "X-Drop": "", "X-Forwarded-Proto": "https", "Cookie": "a=1; b=2", "Host": "",
		"X-Opennext-Initial-Url": "https://shop.example/from", "X-Body": "form=1", "X-Client": "192.0.2.7",
	} {
		if got := d.Header.Get(name); got != want {
			t.Errorf("header %s: %q, want %q", name, got, want)
		}
	}
	if body, err := io.ReadAll(r.Body); err != nil || string(body) != "form=1" {
		t.Errorf("the body afterwards: %q, %v", body, err)
	}
}

func TestMiddleware_Errors(t *testing.T) {
	t.Parallel()
	m := newMiddleware(t)
	for _, path := range []string{"/fail", "/odd"} {
		if d, err := m.Run(t.Context(), httptest.NewRequest("GET", path, nil)); err == nil {
			t.Errorf("%s: %+v", path, d)
		}
	}
	rec := httptest.NewRecorder()
	m.pool.ServeHTTP(rec, httptest.NewRequest("GET", "/", nil))
	if rec.Code != http.StatusInternalServerError {
		t.Errorf("as an http.Handler: %d", rec.Code)
	}
	pool, _ := newTestPool(t, Spec{})
	if _, err := NewMiddleware(pool); err == nil {
		t.Error("a server function was taken for a middleware")
	}
}

func TestInvoke_ReturnsRawResult(t *testing.T) {
	t.Parallel()
	pool, _ := newTestPool(t, Spec{Dir: "testdata/old"})
	got, err := pool.Invoke(t.Context(), []byte(`{"body":"four"}`))
	if err != nil || !strings.Contains(string(got), `"statusCode":200`) || !strings.Contains(string(got), `"body":"4"`) {
		t.Errorf("%s, %v", got, err)
	}
}

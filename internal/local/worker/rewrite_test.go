package worker

import (
	"compress/gzip"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// OpenNext decompresses brotli and gzip only; it drops the Content-Encoding of an answer in another
// coding.
func TestRewrite_AcceptEncoding(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "accepts "+r.Header.Get("Accept-Encoding"))
	}))
	defer host.Close()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	for accepted, want := range map[string]string{
		"": "accepts ", "identity": "accepts identity", "zstd": "accepts identity", "*": "accepts identity",
		"gzip, deflate, br, zstd": "accepts gzip, br", "GZip;q=0.5 ,zstd": "accepts GZip;q=0.5",
	} {
		var header []string
		if accepted != "" {
			header = []string{"Accept-Encoding", accepted}
		}
		if a := s.getRaw(t, "/rewrite?to="+host.URL, header...); a.body != want {
			t.Errorf("a visitor who accepts %q: the host reads %q, want %q", accepted, a.body, want)
		}
	}
}

// Trailers of the host reach the visitor (RFC 9110, section 6.5), behind a body that OpenNext decompresses, too. Fields that
// may not be trailers (section 6.5.1) do not.
func TestRewrite_Trailers(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		text := strings.Repeat("tide ", 1000)
		if r.URL.Path == "/short" {
			text = "tide"
		}
		var body io.Writer = w
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			h.Set("Content-Encoding", "gzip")
			compressor := gzip.NewWriter(w)
			defer compressor.Close()
			body = compressor
		}
		_, _ = io.WriteString(body, text)
		_ = http.NewResponseController(w).Flush()
		for _, name := range []string{"X-Sum", "Server-Timing", "Set-Cookie", "Cache-Control"} {
			h.Set(http.TrailerPrefix+name, "9")
		}
	}))
	defer host.Close()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1})
	for _, path := range []string{"/short", "/long"} {
		for _, coding := range []string{"identity", "gzip"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/rewrite?to="+host.URL+path, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", coding)
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			want := http.Header{"X-Sum": {"9"}, "Server-Timing": {"9"}}
			if err != nil || !strings.HasPrefix(string(body), "tide") || !maps.EqualFunc(res.Trailer, want, slices.Equal) {
				t.Errorf("%s, %s: %d octets, %v, trailers %v, want %v", path, coding, len(body), err, res.Trailer, want)
			}
		}
	}
}

// Trailers that HTTP cannot carry, which Node.js passes on with an option of an app's, are left out of the answer and logged.
func TestRewrite_MalformedTrailers(t *testing.T) {
	t.Parallel()
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\ntide\r\n0\r\nX-Sum: \x01\r\n\r\n")
	}))
	defer host.Close()
	s := newSite(t, Spec{Handler: "faults.handler", Min: 1, Env: map[string]string{"NODE_OPTIONS": "--insecure-http-parser"}})
	a := s.getRaw(t, "/rewrite?to="+host.URL)
	if a.StatusCode != http.StatusOK || a.body != "tide" || len(a.Trailer) != 0 {
		t.Errorf("%d %q, trailers %v", a.StatusCode, a.body, a.Trailer)
	}
	s.logs.wait(t, "the trailers of a rewrite's host are left out")
}

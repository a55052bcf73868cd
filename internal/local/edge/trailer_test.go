package edge

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// Trailers of a function's answer reach the client (RFC 9110, section 6.5), over HTTP/1.1 in chunks, over
// HTTP/2 and HTTP/3, also behind a body that the edge has compressed or stores. Those of a stored answer are not kept.
func TestTrailers_ReachTheClient(t *testing.T) {
	s := startHTTP3(t, Config{}, "a.test")
	answer := func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", r.URL.Query().Get("control"))
		h.Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, strings.Repeat("a long text ", 1000))
		_ = http.NewResponseController(w).Flush() // as a worker does, so that the answer has no length
		w.Header().Set(http.TrailerPrefix+"X-Sum", "12000")
	}
	s.Publish(NewTable(map[string]*Site{"a.test": {
		ID: "a", Default: http.HandlerFunc(answer), Cache: cache.New(16 << 20).Namespace(), Sharing: Sharing{Guarded: func(*url.URL) bool { return false }},
	}}))
	ask := func(client *http.Client, coding, control string) *http.Response {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://a.test/?control="+url.QueryEscape(control), http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Accept-Encoding", coding)
		res, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if _, err := io.Copy(io.Discard, res.Body); err != nil {
			t.Errorf("%s, %s, %s: %v", res.Proto, coding, control, err)
		}
		return res
	}
	for protocol, client := range map[string]*http.Client{
		"HTTP/1.1": s.client(t, false), "HTTP/2.0": s.client(t, true), "HTTP/3.0": s.client3(t),
	} {
		for _, coding := range []string{"identity", "gzip"} {
			for _, control := range []string{"", "private", "s-maxage=60, x-case=" + protocol[5:6] + coding} {
				res := ask(client, coding, control)
				if got := res.Trailer; res.Proto != protocol || got.Get("X-Sum") != "12000" {
					t.Errorf("%s, %s, %q: %v, trailers %v", protocol, coding, control, res.Header, got)
				}
				if !strings.HasPrefix(control, "s-maxage") {
					continue
				}
				if res = ask(client, coding, control); !strings.Contains(res.Header.Get("Cache-Status"), "hit") || len(res.Trailer) != 0 || len(res.Header["Trailer"]) != 0 || res.Header["X-Sum"] != nil {
					t.Errorf("%s, %s: the stored answer is %v with the trailers %v", protocol, coding, res.Header, res.Trailer)
				}
			}
		}
	}
}

package edge

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// Trailers of a function's answer reach the client (RFC 9110, section 6.5), over HTTP/1.1 in chunks and over
// HTTP/2, also behind a body that the edge has compressed.
func TestTrailers_ReachTheClient(t *testing.T) {
	s := startTLS(t, Config{}, "a.test")
	s.publish(nil, "a.test", func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Trailer", "X-Sum")
		h.Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, strings.Repeat("a long text ", 1000))
		h.Set("X-Sum", "12000")
		h.Set(http.TrailerPrefix+"X-Late", "1")
	})
	for http2, protocol := range map[bool]string{false: "HTTP/1.1", true: "HTTP/2.0"} {
		client := s.client(t, http2)
		for _, coding := range []string{"identity", "gzip"} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://a.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Accept-Encoding", coding)
			res, err := client.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			_, err = io.Copy(io.Discard, res.Body)
			if got := res.Trailer; err != nil || res.Proto != protocol || got.Get("X-Sum") != "12000" || got.Get("X-Late") != "1" {
				t.Errorf("%s, %s: %v, trailers %v, %v", protocol, coding, res.Header, got, err)
			}
			res.Body.Close()
		}
	}
}

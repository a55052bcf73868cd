package edge

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// discard is a ResponseWriter that costs nothing, so that a benchmark shows what the edge costs.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func BenchmarkServeHTTP(b *testing.B) {
	e := New(Config{})
	e.Publish(NewTable(map[string]*Site{"a.test": {
		Assets: assets(b, "", map[string]string{
			"small.txt": "hello", "_next/static/a.js": strings.Repeat("export const answer = 42;\n", 400),
		}),
		Header:  http.Header{"X-Anchor-Deployment": {"d1"}},
		Routes:  []Route{{Pattern: "_next/image*", Target: says("image")}, {Pattern: "_next/data/*", Target: says("data")}},
		Default: says("page"),
	}}))
	for _, c := range []struct{ name, target, header, value string }{
		{"identity", "/small.txt", "", ""},
		{"brotli", "/_next/static/a.js", "Accept-Encoding", "gzip, deflate, br, zstd"},
		{"revalidated", "/small.txt", "If-None-Match", `"2cf24dba5fb0a30e26e83b2ac5b9e29e"`},
		{"missing", "/_next/static/none.js", "", ""},
		{"function", "/page", "", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			r := httptest.NewRequest("GET", c.target, nil)
			r.Host = "a.test"
			if c.header != "" {
				r.Header.Set(c.header, c.value)
			}
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				clear(w.header)
				e.ServeHTTP(w, r)
			}
		})
	}
}

// BenchmarkConnection includes net/http and the kernel: the cost of a request over one keep-alive
// connection.
func BenchmarkConnection(b *testing.B) {
	e := start(b, Config{})
	e.publish(map[string]*Site{"a.test": {Assets: assets(b, "", map[string]string{
		"small.txt": "hello", "large.mp4": strings.Repeat("x", 1<<20),
	})}})
	for _, target := range []string{"/small.txt", "/large.mp4"} {
		b.Run(target[1:], func(b *testing.B) {
			c, from := e.dial(b)
			request := "GET " + target + " HTTP/1.1\r\nHost: a.test\r\n\r\n"
			b.ReportAllocs()
			for b.Loop() {
				io.WriteString(c, request)
				res, err := http.ReadResponse(from, nil)
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, res.Body)
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(n)
			}
		})
	}
}

package edge

import (
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
)

// withCoders replaces the bounds of the process for a test.
func withCoders(t *testing.T, c *coders) {
	before := liveCoders
	liveCoders = c
	t.Cleanup(func() { liveCoders = before })
}

// codingOf requests a page of the edge that accepts every coding.
func (e *running) codingOf(t *testing.T, path string) string {
	t.Helper()
	got := e.get(t, "a.test", path, "Accept-Encoding", "gzip, br, zstd")
	if got.header.Get("Vary") != "Accept-Encoding" {
		t.Errorf("Vary is %q", got.header.Get("Vary"))
	}
	return got.header.Get("Content-Encoding")
}

func TestCoders_BeyondTheBoundAnswersAreSentAsTheyAre(t *testing.T) {
	withCoders(t, &coders{most: 1, mostBusy: 1000})
	begun, release := make(chan struct{}), make(chan struct{})
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, page)
		if r.URL.Path == "/stream" {
			close(begun)
			<-release
		}
	})}})
	first := make(chan string, 1)
	go func() { first <- e.codingOf(t, "/stream") }()
	<-begun
	if got := e.codingOf(t, "/"); got != "" {
		t.Errorf("beyond the bound: %q", got)
	}
	close(release)
	if got := <-first; got != "br" {
		t.Errorf("within the bound: %q", got)
	}
	for i := range 3 { // what ends gives its place back
		if got := e.codingOf(t, "/"); got != "br" {
			t.Errorf("answer %d afterwards: %q", i, got)
		}
	}
	liveCoders.busy.Store(liveCoders.mostBusy)
	if got := e.codingOf(t, "/"); got != "" {
		t.Errorf("with all processors busy: %q", got)
	}
}

// A function that panics gives the place of its encoder back, and a client that does not read takes no
// processor.
func TestCoders_PlacesAreReturned(t *testing.T) {
	withCoders(t, &coders{most: 1, mostBusy: 1})
	e := start(t, Config{Download: fast})
	e.publish(map[string]*Site{"a.test": {Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, page)
		if r.URL.Path == "/panic" {
			panic(http.ErrAbortHandler)
		}
		if r.URL.Path == "/endless" {
			noisy := make([]byte, 1<<20)
			for source := rand.NewChaCha8([32]byte{1}); ; { // which no encoder can shrink
				source.Read(noisy)
				if _, err := w.Write(noisy); err != nil {
					return
				}
			}
		}
	})}})
	for range 3 {
		if _, err := e.try("GET", "a.test", "/panic", nil, "Accept-Encoding", "br"); err == nil {
			t.Error("a broken answer was read as a whole one")
		}
	}
	c, r := e.dial(t)
	io.WriteString(c, "GET /endless HTTP/1.1\r\nHost: a.test\r\nAccept-Encoding: gzip\r\n\r\n")
	if line, err := r.ReadString('\n'); err != nil || !strings.Contains(line, "200") {
		t.Fatal(line, err)
	}
	for liveCoders.open.Load() > 0 {
		ok(t, e)
	}
	if busy := liveCoders.busy.Load(); busy != 0 {
		t.Errorf("%d encoders are busy when none is open", busy)
	}
	if got := e.codingOf(t, "/"); got != "br" {
		t.Errorf("afterwards: %q", got)
	}
}

// What a middleware answers is coded as what a function answers.
func TestMiddleware_AnswersAreCoded(t *testing.T) {
	e := start(t, Config{})
	e.publish(map[string]*Site{"a.test": {Default: says("unused"), MiddlewareRoutes: []string{"*"}, Middleware: decide(func(*http.Request) (Decision, error) {
		return Decision{Response: &http.Response{
			StatusCode: 200, Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(strings.NewReader(page)),
		}}, nil
	})}})
	if got := e.codingOf(t, "/"); got != "br" {
		t.Errorf("the coding is %q", got)
	}
	if got := e.get(t, "a.test", "/"); got.body != page || got.header.Get("Content-Encoding") != "" {
		t.Errorf("without Accept-Encoding: %v, %d octets", got.header, len(got.body))
	}
}

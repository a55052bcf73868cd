package worker

import (
	"io"
	"net/http"
	"testing"
)

// TestDirect_AnswersAsPool: what a benchmark asks past the Pool is the same request and the same answer.
func TestDirect_AnswersAsPool(t *testing.T) {
	t.Parallel()
	s := newSite(t, Spec{Dir: "testdata/streaming", Name: "default"})
	want := s.get(t, "/hello")
	s.mu.Lock()
	socket := s.procs[0].hop.socket
	s.mu.Unlock()
	direct := NewDirect(socket)
	defer direct.hop.close()
	client := &http.Client{Transport: direct}
	for range 2 { // the second on the same connection
		res, err := client.Get("http://worker/hello")
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != want.StatusCode || string(body) != want.body {
			t.Errorf("Direct answers %d %q, %v; the Pool %d %q", res.StatusCode, body, err, want.StatusCode, want.body)
		}
	}
}

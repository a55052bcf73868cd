package worker

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// The two benchmarks differ only in the hop: the same process answers, once through the pool's
// server and once to a client that connects to its socket.

func BenchmarkHelloThroughThePool(b *testing.B) {
	pool, _ := newTestPool(b, Spec{Min: 1})
	warm(b, pool)
	server := httptest.NewServer(pool)
	defer server.Close()
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	benchmarkGet(b, &http.Client{Transport: transport}, server.URL+"/hello")
}

func BenchmarkHelloStraightFromTheProcess(b *testing.B) {
	pool, _ := newTestPool(b, Spec{Min: 1})
	warm(b, pool)
	pool.mu.Lock()
	hop := newHop(pool.procs[0].socket)
	pool.mu.Unlock()
	defer hop.close()
	b.ReportAllocs()
	for b.Loop() {
		_, body, err := hop.exchangeMessages(b.Context(), &requestHead{method: http.MethodGet, target: "/hello", host: "worker"}, nil)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, body); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkGet(b *testing.B, client *http.Client, url string) {
	b.ReportAllocs()
	for b.Loop() {
		resp, err := client.Get(url)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
}

// serveOn runs server on a free port and returns it as a site without a pool.
func serveOn(t testing.TB, server *http.Server) *site {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }() // ends with Close
	t.Cleanup(func() { server.Close(); <-done })
	return &site{url: "http://" + listener.Addr().String()}
}

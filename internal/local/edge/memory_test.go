package edge

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// heapInUse returns the octets of live objects.
func heapInUse() int64 {
	runtime.GC()
	runtime.GC() // what has a finalizer
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// Stored pages take little more memory than their octets, also when they were sent.
func TestStoredPages_Memory(t *testing.T) {
	const pages = 2000
	store := cache.New(512 << 20)
	site := &Site{
		ID: "a", Header: http.Header{"X-Anchor-Deployment": {"d1"}}, Cache: store.Namespace(), Sharing: Sharing{Guarded: func(*url.URL) bool { return false }},
		Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			for name, value := range map[string]string{
				"Cache-Control": "s-maxage=31536000", "Content-Type": "text/html; charset=utf-8", "Etag": `"` + r.URL.Path + `"`, "X-Nextjs-Cache": "HIT",
				"X-Nextjs-Stale-Time": "300", "X-Nextjs-Prerender": "1", "Vary": "rsc, next-router-state-tree, next-router-prefetch, next-router-segment-prefetch",
				HeaderTags: "t_N_T_%2Flayout,t_N_T_" + url.QueryEscape(r.URL.Path) + ",k" + url.QueryEscape(r.URL.Path),
			} {
				h.Set(name, value)
			}
			for range 12 {
				io.WriteString(w, strings.Repeat("a page ", 146))
			}
		}),
	}
	e := start(t, Config{})
	e.Publish(NewTable(map[string]*Site{"a.test": site}))
	ask := func(n int) (octets int64) {
		got := e.get(t, "a.test", fmt.Sprintf("/products/page-%d", n))
		for name, values := range got.header {
			octets += int64(len(name) + len(values[0]) + len(": \r\n"))
		}
		return octets + int64(len(got.body))
	}
	ask(pages)
	before, octets := heapInUse(), int64(0)
	for n := range pages {
		octets += ask(n)
	}
	stored := float64(heapInUse()-before) / float64(octets)
	for n := range pages {
		ask(n)
	}
	sent := float64(heapInUse()-before) / float64(octets)
	if stored > 1.15 || sent > 1.2 {
		t.Errorf("%.3f × their octets, and %.3f × after a hit", stored, sent)
	}
	runtime.KeepAlive(store)
}

// A connection that had only hits waits without net/http's buffers, and its goroutine with a small stack.
func TestWaitingConnection_Memory(t *testing.T) {
	const conns = 500
	e := start(t, Config{MaxConnectionsPerClient: 2 * conns})
	e.publish(map[string]*Site{"a.test": {Assets: assets(t, "", map[string]string{"small.txt": "hello"})}})
	inUse := func() int64 {
		heap := heapInUse()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return heap + int64(stats.StackInuse)
	}
	answer := make([]byte, 4096)
	open := func() net.Conn {
		c, err := net.Dial("tcp", e.addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		io.WriteString(c, plainHit)
		if n, err := c.Read(answer); err != nil || !strings.HasSuffix(string(answer[:n]), "hello") {
			t.Fatalf("%q, %v", answer[:n], err)
		}
		return c
	}
	open()
	before := inUse()
	for range conns {
		open()
	}
	if each := (inUse() - before) / conns; each > 12<<10 { // both ends are in this process
		t.Errorf("%d octets for each connection that waits", each)
	}
}

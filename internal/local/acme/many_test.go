package acme

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Many names are attached at once, one of them broken. All others are issued, with one order each,
// and only the broken one is reported.
func TestManyNames_AtOnce(t *testing.T) {
	t.Parallel()
	const broken = "broken.example.net"
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	shared.AddDNSServFailRecord(broken)
	cfg := p.config(t)
	cfg.FirstRetry, cfg.Hot = time.Hour, 50
	var changed atomic.Int64
	cfg.Changed = func(string) { changed.Add(1) }
	m := open(t, cfg)
	f.serve(t, m)

	before := heap()
	start := time.Now()
	names := []string{broken}
	for i := range manyNames {
		names = append(names, fmt.Sprintf("n%d.example.com", i))
	}
	for _, name := range names {
		if c, err := m.Ensure(t.Context(), named(name)); err != nil || c.Status != anchor.CertPending {
			t.Fatalf("%s: %+v, %v", name, c, err)
		}
	}
	last := ""
	for waited := time.Now(); changed.Load() < int64(len(names)); time.Sleep(50 * time.Millisecond) {
		if time.Since(waited) > 10*time.Minute {
			t.Fatalf("%d of %d names settled", changed.Load(), len(names))
		}
	}
	took := time.Since(start)
	for _, name := range names[1:] {
		if c, err := m.Ensure(t.Context(), named(name)); err != nil || c.Status != anchor.CertIssued {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		cert, err := m.GetCertificate(hello(name))
		if err != nil || cert == nil || cert.Leaf.DNSNames[0] != name {
			t.Errorf("%s is served %v, %v", name, cert, err)
		}
		last = name
	}
	if c, err := m.Ensure(t.Context(), named(broken)); err != nil || c.Status != anchor.CertFailed || c.Problem == "" {
		t.Errorf("%s: %+v, %v", broken, c, err)
	}
	// The broken name has one order for each challenge type.
	if n := p.Orders(); n != manyNames+2 {
		t.Errorf("%d orders for %d names and a broken one", n, manyNames)
	}
	t.Logf("%d names in %s (%.1f/s), heap %+.1f MiB with the CA in the same process; last %s",
		manyNames, took.Round(time.Millisecond), manyNames/took.Seconds(), float64(heap()-before)/(1<<20), last)

	reopened := time.Now()
	m.Close()
	again, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	t.Logf("opened again in %s", time.Since(reopened).Round(time.Millisecond))
	if cert, err := again.GetCertificate(hello(last)); err != nil || cert == nil {
		t.Errorf("%s after a restart: %v, %v", last, cert, err)
	}
}

func heap() int64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

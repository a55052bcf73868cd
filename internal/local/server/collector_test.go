package server

import (
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestPercentFor(t *testing.T) {
	t.Parallel()
	const mb = 1 << 20
	for _, c := range []struct {
		live, scanned uint64
		want          int
	}{
		{0, 0, 100},
		{4 * mb, 4 * mb, 100}, // a small heap
		{100 * mb, 100 * mb, 100},
		{100 * mb, 120 * mb, 100}, // measured at different times
		{160 * mb, 16 * mb, 21},   // 144 of stored answers
		{1000 * mb, 0, 12},
		{16 * mb, 1 * mb, 50},
	} {
		if got := percentFor(c.live, c.scanned); got != c.want {
			t.Errorf("%d live, %d scanned: %d %%, want %d %%", c.live>>20, c.scanned>>20, got, c.want)
		}
	}
}

// The collector is adjusted after each cycle, as long as it is not stopped.
func TestCollector_FollowsTheHeap(t *testing.T) {
	set := make(chan int, 16)
	quiet := time.NewTimer(time.Hour)
	defer quiet.Stop()
	c := &collector{set: func(percent int) int { set <- percent; return 0 }, read: readHeap, last: defaultPercent, quiet: quiet}
	c.arm()
	body := make([]byte, 256<<20)
	runtime.GC()
	if got := <-set; got >= 60 {
		t.Errorf("%d %%, with %d MB without pointers", got, len(body)>>20)
	}
	runtime.KeepAlive(body) // and no longer
	for more := 0; more < 60; {
		runtime.GC()
		select {
		case more = <-set:
		default:
		}
	}
	c.stopped.Store(true)
}

// Memory that the heap does not need is returned once there was no cycle for a while.
func TestCollector_ReturnsMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const mb = 1 << 20
		var mu sync.Mutex // the timer's function runs on a goroutine of its own
		returned, heap := 0, heapSizes{live: 160 * mb, scanned: 16 * mb, held: 200 * mb}
		locked := func(do func()) { mu.Lock(); defer mu.Unlock(); do() }
		c := &collector{set: func(int) int { return 0 }, last: defaultPercent}
		c.read = func() (now heapSizes) { locked(func() { now = heap }); return now }
		c.release = func() {
			locked(func() { returned++; heap.held = heap.live })
			c.adjust()
		}
		want := func(n int, when string) {
			t.Helper()
			locked(func() {
				if returned != n {
					t.Errorf("returned %d times %s, want %d", returned, when, n)
				}
			})
		}
		c.quiet = time.AfterFunc(quietTime, c.tidy)
		for range 10 {
			time.Sleep(quietTime - time.Second)
			c.adjust() // a cycle
		}
		want(0, "while the collector was busy")
		time.Sleep(10 * quietTime)
		want(1, "when it was idle")
		locked(func() { heap.held += 3 * mb }) // a little garbage
		c.adjust()
		time.Sleep(10 * quietTime)
		locked(func() { heap.held += 3 * mb })
		c.stopped.Store(true)
		c.adjust()
		time.Sleep(10 * quietTime)
		want(1, "for little, or after the end")
	})
}

package server

import (
	"runtime"
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
		returned, heap := 0, heapSizes{live: 160 * mb, scanned: 16 * mb, held: 200 * mb}
		c := &collector{set: func(int) int { return 0 }, read: func() heapSizes { return heap }, last: defaultPercent}
		c.release = func() {
			returned++
			heap.held = heap.live
			c.adjust()
		}
		c.quiet = time.AfterFunc(quietTime, c.tidy)
		for range 10 {
			time.Sleep(quietTime - time.Second)
			c.adjust() // a cycle
		}
		if returned != 0 {
			t.Errorf("returned %d times while the collector was busy", returned)
		}
		time.Sleep(10 * quietTime)
		if returned != 1 {
			t.Errorf("returned %d times, want once", returned)
		}
		heap.held += 3 * mb // a little garbage
		c.adjust()
		time.Sleep(10 * quietTime)
		heap.held += 3 * mb
		c.stopped.Store(true)
		c.adjust()
		time.Sleep(10 * quietTime)
		if returned != 1 {
			t.Errorf("returned %d times for little, or after the end", returned)
		}
	})
}

package server

import (
	"log/slog"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

// collector sets how much garbage the heap may hold. The default, as much as is in use, doubles the memory of
// stored answers and static files, though those have no pointers and cost the garbage collector
// next to nothing. So the room is as large as what it has to scan, and an eighth of the rest: it runs about as
// often as it would if answers were outside of the heap.
type collector struct {
	set     func(percent int) int // debug.SetGCPercent
	last    int
	stopped atomic.Bool
}

const (
	// defaultPercent is the runtime's. Where GOGC sets another one, that stays.
	defaultPercent = 100
	// leastRoom is for garbage however small the heap is.
	leastRoom = 8 << 20
	// restShare is the part of what has no pointers that counts as room.
	restShare = 8
)

// paceCollector adjusts the garbage collector after each of its cycles until stop is called.
func paceCollector() (stop func()) {
	c := &collector{set: debug.SetGCPercent}
	if c.last = c.set(defaultPercent); c.last != defaultPercent {
		c.set(c.last)
		slog.Debug("GOGC is set; the garbage collector is not adjusted", "percent", c.last)
		return func() {}
	}
	c.arm()
	return func() {
		c.stopped.Store(true)
		c.set(defaultPercent)
	}
}

// sentinel is found unused by the next cycle. It has a pointer, so that it shares its memory with no other object.
type sentinel struct{ _ *collector }

func (c *collector) arm() {
	runtime.AddCleanup(&sentinel{}, func(c *collector) {
		if !c.stopped.Load() {
			c.adjust()
			c.arm()
		}
	}, c)
}

func (c *collector) adjust() {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"}}
	metrics.Read(samples)
	next := percentFor(samples[0].Value.Uint64(), samples[1].Value.Uint64())
	if diff := max(next-c.last, c.last-next); diff*10 < c.last { // setting it stops the process for a moment
		return
	}
	c.last = next
	c.set(next)
}

// percentFor returns the room for garbage in percent of the live octets, of which the collector
// scans some.
func percentFor(live, scanned uint64) int {
	if live == 0 {
		return defaultPercent
	}
	scanned = min(scanned, live)
	room := max(scanned+(live-scanned)/restShare, leastRoom)
	return int(min(max(100*room/live, 10), defaultPercent))
}

package server

import (
	"log/slog"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
	"time"
)

// collector sets how much garbage the heap may hold. The default, as much as is in use, doubles the memory of
// stored answers and static files, though those have no pointers and cost the garbage collector
// next to nothing. So the room is as large as what it has to scan, and an eighth of the rest: it runs about as
// often as it would if answers were outside of the heap.
//
// When nothing was collected for a while, what the heap does not need is returned to the system: the
// runtime keeps a tenth, and does not collect the last garbage of a process that is idle.
type collector struct {
	set     func(percent int) int // debug.SetGCPercent
	release func()                // debug.FreeOSMemory
	read    func() heapSizes
	last    int
	quiet   *time.Timer // fires quietTime after the last cycle
	stopped atomic.Bool
}

// heapSizes are octets of the heap after the last cycle, and now.
type heapSizes struct {
	live    uint64 // in use when the last cycle ended
	scanned uint64 // of these, what the collector has to look at
	held    uint64 // memory that the heap has of the system now
}

const (
	// defaultPercent is the runtime's. Where GOGC sets another one, that stays.
	defaultPercent = 100
	// leastRoom is for garbage however small the heap is.
	leastRoom = 8 << 20
	// restShare is the part of what has no pointers that counts as room.
	restShare = 8
	// quietTime is how long there is no cycle before memory is returned.
	quietTime = 4 * time.Second
	// leastReturned is worth a cycle of a small heap; what a cycle costs follows what it scans.
	leastReturned = 4 << 20
)

// paceCollector adjusts the garbage collector after each of its cycles until stop is called.
func paceCollector() (stop func()) {
	c := &collector{set: debug.SetGCPercent, release: debug.FreeOSMemory, read: readHeap}
	if c.last = c.set(defaultPercent); c.last != defaultPercent {
		c.set(c.last)
		slog.Debug("GOGC is set; the garbage collector is not adjusted", "percent", c.last)
		return func() {}
	}
	c.quiet = time.AfterFunc(quietTime, c.tidy)
	c.arm()
	return func() {
		c.stopped.Store(true)
		c.quiet.Stop()
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

// adjust runs after each cycle.
func (c *collector) adjust() {
	c.quiet.Reset(quietTime)
	heap := c.read()
	next := percentFor(heap.live, heap.scanned)
	if diff := max(next-c.last, c.last-next); diff*10 < c.last { // setting it stops the process for a moment
		return
	}
	c.last = next
	c.set(next)
}

// tidy returns memory to the system, if there is enough. That runs a cycle, after which it looks again.
func (c *collector) tidy() {
	heap := c.read()
	if heap.held > heap.live+max(heap.scanned/16, leastReturned) && !c.stopped.Load() {
		c.release()
	}
}

func readHeap() heapSizes {
	samples := []metrics.Sample{
		{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/heap:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/heap/free:bytes"},
	}
	metrics.Read(samples)
	return heapSizes{
		live: samples[0].Value.Uint64(), scanned: samples[1].Value.Uint64(), held: samples[2].Value.Uint64() + samples[3].Value.Uint64(),
	}
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

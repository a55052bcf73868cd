package edge

import (
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
)

// coders bound what coding answers takes from this process, whichever edge they belong to. Beyond
// either bound an answer is sent as it is: larger, and not later.
type coders struct {
	most     int64 // encoders in use; each holds up to 3 MiB, and as long as its stream lasts
	mostBusy int64 // encoders that compute at a time; more than that only wait for processors

	open, busy atomic.Int64
}

var liveCoders = newCoders(runtime.GOMAXPROCS(0))

func newCoders(cores int) *coders {
	return &coders{most: int64(max(32*cores, 64)), mostBusy: int64(4 * cores)}
}

// take reports whether another answer may be coded. The caller calls leave at its end.
func (c *coders) take() bool {
	if c.busy.Load() >= c.mostBusy {
		return false
	}
	if c.open.Add(1) > c.most {
		c.open.Add(-1)
		return false
	}
	return true
}

func (c *coders) leave() { c.open.Add(-1) }

// compute counts an encoder as busy while it runs, except for the time in which it sends.
func (c *coders) compute(run func() error) error {
	c.busy.Add(1)
	defer c.busy.Add(-1)
	return run()
}

// outlet is where an encoder writes to: the client may be slow.
type outlet struct {
	to     http.ResponseWriter
	coders *coders
}

var _ io.Writer = outlet{}

func (o outlet) Write(p []byte) (int, error) {
	o.coders.busy.Add(-1)
	defer o.coders.busy.Add(1)
	return o.to.Write(p)
}

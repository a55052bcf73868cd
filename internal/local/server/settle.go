package server

import (
	"context"
	"runtime/debug"
	"time"
)

// settledAfter is how long after its start a server needs nothing any more that only the start needs.
const settledAfter = 3 * time.Second

// finishStart does what the server does not wait for.
func (a *app) finishStart(ctx context.Context) {
	a.installNode(ctx)
	a.settle(ctx)
}

// settle returns memory to the system that the start has used: its garbage, and the pages of the program that it has
// run through. The kernel maps many pages with each that is read, and has no reason to unmap them; those that are still
// used come back from its cache.
func (a *app) settle(ctx context.Context) {
	select {
	case <-time.After(settledAfter):
	case <-ctx.Done():
		return
	}
	debug.FreeOSMemory()
	unmapProgram()
}

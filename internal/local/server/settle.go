package server

import (
	"context"
	"time"
)

// settledAfter is how long after its start a server needs nothing any more that only the start needs.
const settledAfter = 3 * time.Second

// finishStart does what the server does not wait for.
func (a *app) finishStart(ctx context.Context) {
	a.installNode(ctx)
	a.settle(ctx)
}

// settle unmaps the pages of the program that the start has run through. The kernel maps many pages with each that is
// read, and has no reason to unmap them while memory is plentiful; those that are still used come back from its cache.
// The garbage of the start is returned by the collector.
func (a *app) settle(ctx context.Context) {
	select {
	case <-time.After(settledAfter):
	case <-ctx.Done():
		return
	}
	unmapProgram()
}

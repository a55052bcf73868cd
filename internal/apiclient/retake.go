package apiclient

import (
	"context"
	"errors"
	"time"
)

// retake decides whether an event stream that stopped is asked for again.
type retake struct {
	client    *Client
	fruitless int       // attempts in a row that brought nothing
	open      bool      // the server was there once
	lost      time.Time // since when it cannot be reached; zero while it can
}

// brought notes that an event came.
func (r *retake) brought() { r.fruitless, r.open, r.lost = 0, true, time.Time{} }

// again waits for the next attempt, if there shall be one after err. A server that
// was there and cannot be reached is being started again, most likely: it is waited
// for longer than for one that was never there.
func (r *retake) again(ctx context.Context, err error) bool {
	var more *moreError
	var gone *Unreachable
	switch {
	case ctx.Err() != nil:
		return false
	case errors.As(err, &more):
		r.brought() // nothing is wrong with a server that had nothing to tell
		r.client.sleep(ctx, 0)
	case errors.Is(err, errCut):
		if r.fruitless >= r.client.Attempts {
			return false
		}
		r.open, r.lost = true, time.Time{}
		r.client.sleep(ctx, r.fruitless)
		r.fruitless++
	case r.open && errors.As(err, &gone):
		if r.lost.IsZero() {
			r.lost = time.Now()
		}
		if time.Since(r.lost) > r.client.Restart {
			return false
		}
		r.client.sleep(ctx, 2)
	default:
		return false
	}
	return true
}

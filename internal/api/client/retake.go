package client

import (
	"context"
	"errors"
)

// retake decides whether to request an event stream that stopped again.
type retake struct {
	client    *Client
	fruitless int  // attempts in a row that brought nothing
	open      bool // the server has begun a stream
}

// brought notes that an event came.
func (r *retake) brought() { r.fruitless, r.open = 0, true }

// again waits for the next attempt and reports whether there is one after err. For a server
// that cannot be reached the client has waited already, see Client.Restart. The next attempt
// reports the end of ctx.
func (r *retake) again(ctx context.Context, err error) bool {
	var more *moreError
	switch {
	case ctx.Err() != nil:
		return false
	case errors.As(err, &more):
		r.brought() // nothing is wrong with a server that had nothing to tell
		_ = r.client.repeats().Pause(ctx, 0)
	case errors.Is(err, errCut) && r.fruitless < r.client.Attempts:
		r.open = true
		_ = r.client.repeats().Pause(ctx, r.fruitless)
		r.fruitless++
	default:
		return false
	}
	return true
}

package client

import (
	"context"
	"errors"
)

// resumer decides whether to request an event stream that stopped again.
type resumer struct {
	client    *Client
	fruitless int  // attempts in a row that brought nothing
	open      bool // the server has begun a stream
}

// followStream calls once, which reads one answer of an event stream, until that is done. It
// returns the error after which the stream is not requested again.
func (c *Client) followStream(ctx context.Context, once func(*resumer) (done bool, err error)) error {
	r := &resumer{client: c}
	for {
		done, err := once(r)
		if done {
			return nil
		}
		if !r.waitToResume(ctx, err) {
			return err
		}
	}
}

// noteProgress notes that an event came.
func (r *resumer) noteProgress() { r.fruitless, r.open = 0, true }

// waitToResume waits for the next attempt and reports whether there is one after err. For a server
// that cannot be reached the client has waited already, see Client.Restart. The next attempt
// reports the end of ctx.
func (r *resumer) waitToResume(ctx context.Context, err error) bool {
	var more *moreError
	switch {
	case ctx.Err() != nil:
		return false
	case errors.As(err, &more):
		r.noteProgress() // a server without news is not at fault
		_ = r.client.repeatPolicy().Pause(ctx, 0)
	case errors.Is(err, errCut) && r.fruitless < r.client.Attempts:
		r.open = true
		_ = r.client.repeatPolicy().Pause(ctx, r.fruitless)
		r.fruitless++
	default:
		return false
	}
	return true
}

package client

import (
	"net/http"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// longestAsked bounds the pause that a server asks for with Retry-After.
const longestAsked = 10 * time.Second

// attempts decides after each attempt of a call whether another one follows.
type attempts struct {
	client *Client
	once   bool // the call must not be repeated
	made   int
	lost   time.Time // when the server could not be reached first
}

// judge returns the error of an attempt, marked when the call is to be repeated.
func (a *attempts) judge(res *http.Response, err error) error {
	a.made++
	switch {
	case err != nil && isConnectionError(err):
		return a.judgeLost(err)
	case err != nil:
		return err
	}
	a.client.met.Store(true)
	if res.StatusCode < 400 {
		return nil
	}
	defer drain(res)
	asked := retry.After(res.Header, time.Now())
	err = decodeError(res)
	if kindOfStatus(res.StatusCode) == anchor.KindBusy && !a.once && a.made < a.client.Attempts {
		return retry.AgainAfter(err, min(asked, longestAsked))
	}
	return err
}

// judgeLost is judge for a server that cannot be reached. One that has answered before restarts,
// most likely.
func (a *attempts) judgeLost(err error) error {
	if a.lost.IsZero() {
		a.lost = time.Now()
	}
	restarts := a.client.met.Load() && time.Since(a.lost) < a.client.Restart
	err = &Unreachable{URL: a.client.base, Err: err}
	if !a.once && (a.made < a.client.Attempts || restarts) {
		return retry.Again(err)
	}
	return err
}

// Package retry repeats calls that failed for a temporary reason (a conflict, a throttled request),
// and polls for a state that somebody else brings about. It imports no other package of Anchor.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"strconv"
	"time"
)

// Policy sets how often a call is made and how long the pauses are. The pause after the n-th call,
// counted from 0, is random between 0 and First·2ⁿ, at most Longest ("full jitter"), so that
// callers that collided do not collide again.
type Policy struct {
	First, Longest time.Duration
	Calls          int // the most that Do and Poll make; 0: no limit, they end with their context
}

// Do calls f until it returns nil, an error that Again or AgainAfter did not mark, or the last
// error that Calls allows, and returns that error without the mark. When ctx ends during a pause,
// Do returns the cause.
func Do(ctx context.Context, p Policy, f func() error) error {
	for n := 0; ; n++ {
		err := f()
		var again *marked
		if !errors.As(err, &again) {
			return err
		}
		if p.isLast(n) {
			return again.err
		}
		if err := sleep(ctx, again.least+rand.N(p.limit(n)+1)); err != nil {
			return err
		}
	}
}

// Again marks an error after which Do repeats the call. It returns nil for nil.
func Again(err error) error { return AgainAfter(err, 0) }

// AgainAfter is Again for a server that asked its clients to stay away for a time, as Retry-After
// does: the pause is longer by least.
func AgainAfter(err error, least time.Duration) error {
	if err == nil {
		return nil
	}
	return &marked{err, max(least, 0)}
}

type marked struct {
	err   error
	least time.Duration
}

func (m *marked) Error() string { return m.err.Error() }
func (m *marked) Unwrap() error { return m.err }

// After returns how long the Retry-After field of an answer asks to wait: seconds, or the time
// until a date (RFC 9110, section 10.2.3). It returns 0 without a field, for one that is neither,
// and for a date that is over.
func After(h http.Header, now time.Time) time.Duration {
	field := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(field, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(field); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}

// ErrNotReady reports that a state was not reached within the calls of a policy.
var ErrNotReady = errors.New("not ready after the last check")

// Poll calls ready until it returns true or an error, which Poll returns. After as many calls as
// the policy allows it returns ErrNotReady, and when ctx ends during a pause, the cause. Pauses
// vary less than those of Do: from half of the policy's limit up.
func Poll(ctx context.Context, p Policy, ready func() (bool, error)) error {
	for n := 0; ; n++ {
		done, err := ready()
		if done || err != nil {
			return err
		}
		if p.isLast(n) {
			return ErrNotReady
		}
		half := p.limit(n) / 2
		if err := sleep(ctx, half+rand.N(half+1)); err != nil {
			return err
		}
	}
}

// Pause waits for the pause after the n-th call, counted from 0. When ctx ends first, it returns
// the cause.
func (p Policy) Pause(ctx context.Context, n int) error {
	return sleep(ctx, rand.N(p.limit(n)+1))
}

func sleep(ctx context.Context, pause time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p Policy) isLast(n int) bool { return p.Calls > 0 && n+1 >= p.Calls }

// limit returns the longest pause after the n-th call. It doubles step by step, as a shift by n
// could overflow.
func (p Policy) limit(n int) time.Duration {
	limit := p.First
	for ; n > 0 && limit < p.Longest; n-- {
		limit *= 2
	}
	return min(limit, p.Longest)
}

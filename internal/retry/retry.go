// Package retry repeats calls that failed for a temporary reason: a conflict, a throttled request.
// It imports no other package of Anchor.
package retry

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// Policy sets how often a call is made and how long the pauses are. The pause after the n-th call,
// counted from 0, is random between 0 and First·2ⁿ, at most Longest ("full jitter"), so that
// callers that collided do not collide again.
type Policy struct {
	First, Longest time.Duration
	Calls          int // the most that Do makes
}

// Do calls f until it returns nil, an error that Again did not mark, or the last error that Calls
// allows, and returns that error without the mark. When ctx ends during a pause, Do returns the
// cause.
func Do(ctx context.Context, p Policy, f func() error) error {
	for n := 0; ; n++ {
		err := f()
		var again *marked
		if !errors.As(err, &again) {
			return err
		}
		if n+1 >= p.Calls {
			return again.err
		}
		if err := p.Pause(ctx, n); err != nil {
			return err
		}
	}
}

// Again marks an error after which Do repeats the call. It returns nil for nil.
func Again(err error) error {
	if err == nil {
		return nil
	}
	return &marked{err}
}

type marked struct{ err error }

func (m *marked) Error() string { return m.err.Error() }
func (m *marked) Unwrap() error { return m.err }

// Pause waits for the pause after the n-th call, counted from 0. When ctx ends first, it returns
// the cause.
func (p Policy) Pause(ctx context.Context, n int) error {
	timer := time.NewTimer(rand.N(p.limit(n) + 1))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// limit returns the longest pause after the n-th call. It doubles step by step, as a shift by n
// could overflow.
func (p Policy) limit(n int) time.Duration {
	limit := p.First
	for ; n > 0 && limit < p.Longest; n-- {
		limit *= 2
	}
	return min(limit, p.Longest)
}

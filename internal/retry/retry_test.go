package retry

import (
	"context"
	"errors"
	"testing"
	"time"
)

var errBusy = errors.New("busy")

func TestDo(t *testing.T) {
	final := errors.New("final")
	for what, c := range map[string]struct {
		errs  []error // of the calls, in order; nil after the last
		calls int
		want  error
	}{
		"at once":                {nil, 1, nil},
		"after two":              {[]error{Again(errBusy), Again(errBusy)}, 3, nil},
		"not marked":             {[]error{final}, 1, final},
		"not marked, later":      {[]error{Again(errBusy), final}, 2, final},
		"until the last call":    {[]error{Again(errBusy), Again(errBusy), Again(errBusy), Again(errBusy)}, 4, errBusy},
		"success at last":        {[]error{Again(errBusy), Again(errBusy), Again(errBusy)}, 4, nil},
		"nil marked is no error": {[]error{Again(nil)}, 1, nil},
	} {
		t.Run(what, func(t *testing.T) {
			calls := 0
			err := Do(t.Context(), Policy{Calls: 4}, func() error {
				calls++
				if calls <= len(c.errs) {
					return c.errs[calls-1]
				}
				return nil
			})
			var mark *marked
			if !errors.Is(err, c.want) || errors.As(err, &mark) || calls != c.calls {
				t.Errorf("%d calls, %v; want %d, %v", calls, err, c.calls, c.want)
			}
		})
	}
}

func TestDo_EndsWithItsContext(t *testing.T) {
	shutdown := errors.New("shutting down")
	ctx, cancel := context.WithCancelCause(t.Context())
	calls := 0
	err := Do(ctx, Policy{First: time.Hour, Longest: time.Hour, Calls: 9}, func() error {
		calls++
		cancel(shutdown)
		return Again(errBusy)
	})
	if !errors.Is(err, shutdown) || calls != 1 {
		t.Errorf("%d calls, %v; want 1, %v", calls, err, shutdown)
	}
}

func TestPolicy_limit(t *testing.T) {
	p := Policy{First: 250 * time.Millisecond, Longest: 4 * time.Second}
	for n, want := range map[int]time.Duration{0: p.First, 1: 500 * time.Millisecond, 3: 2 * time.Second, 4: p.Longest, 5: p.Longest, 1000: p.Longest} {
		if got := p.limit(n); got != want {
			t.Errorf("after call %d: %s, want %s", n, got, want)
		}
	}
}

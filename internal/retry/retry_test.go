package retry

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
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
		"at once":                    {nil, 1, nil},
		"after two":                  {[]error{Again(errBusy), Again(errBusy)}, 3, nil},
		"not marked":                 {[]error{final}, 1, final},
		"not marked, later":          {[]error{Again(errBusy), final}, 2, final},
		"until the last call":        {[]error{Again(errBusy), Again(errBusy), Again(errBusy), Again(errBusy)}, 4, errBusy},
		"success at last":            {[]error{Again(errBusy), Again(errBusy), Again(errBusy)}, 4, nil},
		"nil marked is not an error": {[]error{Again(nil)}, 1, nil},
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

func TestDo_WithoutALimitOfCalls(t *testing.T) {
	calls := 0
	err := Do(t.Context(), Policy{}, func() error {
		if calls++; calls < 100 {
			return Again(errBusy)
		}
		return nil
	})
	if err != nil || calls != 100 {
		t.Errorf("%d calls, %v; want 100, nil", calls, err)
	}
}

func TestDo_MakesNoCallAfterItsContext(t *testing.T) {
	for range 50 { // a pause of nothing must not win against the end
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		calls := 0
		_ = Do(ctx, Policy{}, func() error { calls++; cancel(); return Again(errBusy) })
		if calls != 1 {
			t.Fatalf("%d calls, want 1", calls)
		}
	}
}

func TestDo_PausesAsLongAsItsPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{First: time.Second, Longest: 4 * time.Second, Calls: 6}
		var before time.Time
		n := 0
		_ = Do(t.Context(), p, func() error {
			if n > 0 {
				if pause := time.Since(before); pause > p.limit(n-1) {
					t.Errorf("the pause after call %d is %s, longer than %s", n-1, pause, p.limit(n-1))
				}
			}
			before = time.Now()
			n++
			return Again(errBusy)
		})
		if n != 6 {
			t.Errorf("%d calls, want 6", n)
		}
	})
}

func TestDo_WaitsAsLongAsTheServerAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		calls := 0
		err := Do(t.Context(), Policy{First: time.Second, Longest: time.Second, Calls: 2}, func() error {
			calls++
			return AgainAfter(errBusy, 30*time.Second)
		})
		if took := time.Since(start); took < 30*time.Second || took > 31*time.Second {
			t.Errorf("the pause is %s, want 30 s and at most one more", took)
		}
		var mark *marked
		if !errors.Is(err, errBusy) || errors.As(err, &mark) || calls != 2 {
			t.Errorf("%d calls, %v; want 2, %v", calls, err, errBusy)
		}
	})
}

func TestAfter(t *testing.T) {
	now := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	for field, want := range map[string]time.Duration{
		"":                                0,
		"0":                               0,
		"120":                             2 * time.Minute,
		"-5":                              0,
		"1.5":                             0,
		"soon":                            0,
		"99999999999999999999":            0, // no time that a client can wait
		"Sun, 01 Mar 2026 12:00:30 GMT":   30 * time.Second,
		"Sunday, 01-Mar-26 12:00:30 GMT":  30 * time.Second,
		"Sun Mar  1 12:00:30 2026":        30 * time.Second,
		"Sun, 01 Mar 2026 11:00:00 GMT":   0,
		"Sun, 01 Mar 2026 12:00:30 +0100": 0, // HTTP dates are in GMT
	} {
		if got := After(http.Header{"Retry-After": {field}}, now); got != want {
			t.Errorf("Retry-After: %s is %s, want %s", field, got, want)
		}
	}
	if got := After(nil, now); got != 0 {
		t.Errorf("without the field it is %s", got)
	}
}

func TestPoll(t *testing.T) {
	failed := errors.New("failed")
	for what, c := range map[string]struct {
		readyAt int // the call that returns true, counted from 1
		failAt  int
		calls   int
		want    error
	}{
		"at once":   {1, 0, 1, nil},
		"later":     {3, 0, 3, nil},
		"failure":   {0, 2, 2, failed},
		"not ready": {0, 0, 4, ErrNotReady},
	} {
		t.Run(what, func(t *testing.T) {
			calls := 0
			err := Poll(t.Context(), Policy{Calls: 4}, func() (bool, error) {
				calls++
				if calls == c.failAt {
					return false, failed
				}
				return calls == c.readyAt, nil
			})
			if !errors.Is(err, c.want) || calls != c.calls {
				t.Errorf("%d calls, %v; want %d, %v", calls, err, c.calls, c.want)
			}
		})
	}
}

func TestPoll_PausesAtLeastHalfOfItsPolicy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Policy{First: time.Second, Longest: 8 * time.Second}
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		err := Poll(ctx, p, func() (bool, error) {
			if calls++; calls == 4 {
				cancel()
			}
			return false, nil
		})
		// The pauses are up to 1, 2 and 4 s.
		if took := time.Since(start); took < 3500*time.Millisecond || took > 7*time.Second {
			t.Errorf("three pauses last %s, want 3.5 to 7 s", took)
		}
		if !errors.Is(err, context.Canceled) || calls != 4 {
			t.Errorf("%d calls, %v; want 4, %v", calls, err, context.Canceled)
		}
	})
}

package project_test

import (
	"context"
	"errors"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// limiter remembers the limits that the records had at each call.
type limiter struct {
	store *memory.Store
	seen  []anchor.Limits
	err   error
}

func (l *limiter) Limit(ctx context.Context, id anchor.ProjectID) error {
	p, err := l.store.Project(ctx, id)
	l.seen = append(l.seen, p.Limits)
	return errors.Join(err, l.err)
}

func (l *limiter) Enforcement(anchor.ProjectID) anchor.Enforcement {
	return anchor.Enforcement{Memory: anchor.ReachProject, CPU: anchor.ReachNone, Processes: anchor.ReachProcess}
}

func (l *limiter) LimitUsage(anchor.ProjectID) anchor.LimitUsage {
	return anchor.LimitUsage{MemoryBytes: 9}
}

func TestService_SetLimits_StoresBeforeItEnforces(t *testing.T) {
	s, store, _ := service(t)
	l := &limiter{store: store}
	s.Limiter = l
	p := create(t, s, "shop")
	want := anchor.ProjectLimits{
		Limits: anchor.Limits{MemoryBytes: 64 << 20, CPUMillis: 50, Processes: 64}, Enforced: l.Enforcement(p.ID), Usage: l.LimitUsage(p.ID),
	}
	returns(t, want)(s.SetLimits(t.Context(), "shop", want.Limits))
	returns(t, want)(s.Limits(t.Context(), string(p.ID)))
	returns(t, []anchor.Limits{want.Limits})(l.seen, nil)

	l.err = errors.New("the kernel refuses")
	_, err := s.SetLimits(t.Context(), "shop", anchor.Limits{})
	fails(t, err, anchor.KindFailed, "limits_not_enforced")
	want.Limits = anchor.Limits{}
	returns(t, want)(s.Limits(t.Context(), "shop"))
	_, err = s.SetLimits(t.Context(), "unknown", anchor.Limits{})
	fails(t, err, anchor.KindNotFound, "unknown_project")
}

func TestService_SetLimits_OutOfRange(t *testing.T) {
	s, store, _ := service(t)
	l := &limiter{store: store}
	s.Limiter = l
	create(t, s, "shop")
	for _, bad := range []anchor.Limits{
		{MemoryBytes: -1}, {MemoryBytes: 64<<20 - 1}, {MemoryBytes: 64<<40 + 1},
		{CPUMillis: -1}, {CPUMillis: 49}, {CPUMillis: 1_000_001},
		{Processes: -1}, {Processes: 63}, {Processes: 1_000_001},
		{MemoryBytes: 1 << 30, CPUMillis: 1000, Processes: 1},
	} {
		_, err := s.SetLimits(t.Context(), "shop", bad)
		fails(t, err, anchor.KindInvalid, "bad_limits")
	}
	if got, err := s.Limits(t.Context(), "shop"); err != nil || got.Limits != (anchor.Limits{}) || l.seen != nil {
		t.Errorf("it has %+v, %v; in force: %v", got, err, l.seen)
	}
}

func TestService_SetLimits_Unsupported(t *testing.T) {
	s, _, _ := service(t)
	s.LimitsHint = "Set a budget."
	create(t, s, "shop")
	_, err := s.SetLimits(t.Context(), "shop", anchor.Limits{MemoryBytes: 1 << 30})
	fails(t, err, anchor.KindInvalid, "limits_unsupported")
	got, err := s.Limits(t.Context(), "shop")
	if err != nil || got.Enforced.Whole() || got.Enforced.Why == "" || got.Enforced.Hint != s.LimitsHint {
		t.Errorf("it has %+v, %v", got, err)
	}
}

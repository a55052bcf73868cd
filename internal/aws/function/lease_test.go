package function_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// shaky is a lease that can be lost.
type shaky struct {
	lost               bool
	renewed, given     atomic.Int32
	releasedAfterwards atomic.Bool
}

func (l *shaky) Lease(context.Context, anchor.ProjectID, string, time.Duration) (renew, release func(context.Context) error, err error) {
	l.given.Add(1)
	renew = func(context.Context) error {
		l.renewed.Add(1)
		if l.lost {
			return errors.New("another holds it")
		}
		return nil
	}
	release = func(ctx context.Context) error {
		l.releasedAfterwards.Store(ctx.Err() == nil)
		return nil
	}
	return renew, release, nil
}

func TestLease_IsRenewed(t *testing.T) {
	s, p := newStand(t), newProject()
	lease := &shaky{}
	s.Leases = lease
	s.LeaseTimes(30*time.Millisecond, 0)
	s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	if lease.renewed.Load() == 0 || !lease.releasedAfterwards.Load() {
		t.Errorf("it was renewed %d times, released %t", lease.renewed.Load(), lease.releasedAfterwards.Load())
	}
}

func TestLease_LossEndsWork(t *testing.T) {
	s, p := newStand(t), newProject()
	s.Leases = &shaky{lost: true}
	s.LeaseTimes(30*time.Millisecond, 0)
	s.cloud.Wire.Break(awstest.Fault{Operation: "Lambda.PublishVersion", Hang: true})
	a := artifactOf(t, p, platformtest.NewApp("one"))
	_, err := s.Publish(t.Context(), a, wanted(env(a)), t.Logf)
	wantCode(t, err, "lease_lost")
}

func TestLease_HeldByAnother(t *testing.T) {
	s, p := newStand(t), newProject()
	s.LeaseTimes(time.Minute, 0)
	_, release, err := s.leases.Lease(t.Context(), p.ID, "another", time.Minute)
	must(t, err)
	a := artifactOf(t, p, platformtest.NewApp("one"))
	calls := s.cloud.Wire.Record()
	if _, err := s.Publish(t.Context(), a, wanted(env(a)), t.Logf); anchor.CodeOf(err) != "lease_held" {
		t.Errorf("it says %v", err)
	}
	if len(calls()) > 0 {
		t.Errorf("without the lease it called %v", calls())
	}
	must(t, release(t.Context()))
	s.publish(t, a)
}

func TestLease_ReleasedOnCancel(t *testing.T) {
	s, p := newStand(t), newProject()
	lease := &shaky{}
	s.Leases = lease
	ctx, cancel := context.WithCancel(t.Context())
	s.cloud.Wire.Break(awstest.Fault{Operation: "Lambda.CreateFunction", Do: cancel})
	a := artifactOf(t, p, platformtest.NewApp("one"))
	if _, err := s.Publish(ctx, a, wanted(env(a)), t.Logf); !errors.Is(err, context.Canceled) {
		t.Errorf("it says %v", err)
	}
	if !lease.releasedAfterwards.Load() {
		t.Error("the lease was released with an ended context, or not at all")
	}
}

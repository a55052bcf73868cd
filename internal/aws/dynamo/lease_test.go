package dynamo_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestStore_Lease_OneHolder(t *testing.T) {
	s := newStand(t)
	renew, release, err := s.Lease(s.ctx, s.project.ID, "one", time.Minute)
	s.ok(err)
	for _, holder := range []string{"two", "one"} {
		_, _, err = s.another().Lease(s.ctx, s.project.ID, holder, time.Minute)
		s.code(err, anchor.KindConflict, "lease_held")
	}
	_, _, err = s.Lease(s.ctx, "another project", "two", time.Minute)
	s.ok(err)
	s.ok(renew(s.ctx))
	for range 2 {
		s.ok(release(s.ctx))
	}
	s.code(renew(s.ctx), anchor.KindConflict, "lease_lost")
	_, _, err = s.another().Lease(s.ctx, s.project.ID, "two", time.Minute)
	s.ok(err)
}

func TestStore_Lease_Expires(t *testing.T) {
	s, now := newStand(t), time.UnixMilli(1_000_000)
	s.Clock = func() time.Time { return now }
	renew, release, err := s.Lease(s.ctx, s.project.ID, "one", time.Minute)
	s.ok(err)

	now = now.Add(50 * time.Second)
	s.ok(renew(s.ctx))
	second, other := s.another(), now.Add(time.Minute)
	second.Clock = func() time.Time { return other }
	_, _, err = second.Lease(s.ctx, s.project.ID, "two", time.Minute)
	s.code(err, anchor.KindConflict, "lease_held")

	other = other.Add(time.Millisecond)
	renewTwo, _, err := second.Lease(s.ctx, s.project.ID, "two", time.Minute)
	s.ok(err)
	s.code(renew(s.ctx), anchor.KindConflict, "lease_lost")
	s.ok(release(s.ctx))
	s.ok(renewTwo(s.ctx))
}

func TestStore_Lease_Race(t *testing.T) {
	s := newStand(t)
	var won atomic.Int64
	var done sync.WaitGroup
	var release func(context.Context) error
	for range 20 {
		done.Go(func() {
			_, r, err := s.another().Lease(s.ctx, s.project.ID, anchor.NewID(), time.Minute)
			if err == nil {
				won.Add(1)
				release = r
				return
			}
			s.code(err, anchor.KindConflict, "lease_held")
		})
	}
	done.Wait()
	if won.Load() != 1 {
		t.Fatalf("%d hold it", won.Load())
	}
	s.ok(release(s.ctx))
}

func TestStore_DeleteProject_DeletesExpiredLease(t *testing.T) {
	s := newStand(t)
	now := time.UnixMilli(1_000_000)
	s.Clock = func() time.Time { return now }
	_, _, err := s.Lease(s.ctx, s.project.ID, "one", time.Minute)
	s.ok(err)
	held := s.newProject("held")
	now = now.Add(time.Hour)
	renew, _, err := s.Lease(s.ctx, held.ID, "two", time.Minute)
	s.ok(err)
	s.ok(s.DeleteProject(s.ctx, s.project.ID))
	s.ok(s.DeleteProject(s.ctx, held.ID))
	s.ok(renew(s.ctx))
	if n := s.rows(); n != 1 {
		t.Errorf("there are %d items, want the lease that is held", n)
	}
}

func TestStore_Lease_ReleaseDeletesItem(t *testing.T) {
	s := newStand(t)
	before := s.rows()
	_, release, err := s.Lease(s.ctx, s.project.ID, "one", time.Minute)
	s.ok(err)
	s.ok(release(s.ctx))
	if after := s.rows(); after != before {
		t.Errorf("there are %d items, want %d", after, before)
	}
}

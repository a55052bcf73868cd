package release_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/release"
)

// target is what release passes to Prepare.
type target = func(context.Context) (anchor.Deployment, error)

// preparing is a Traffic whose Prepare is the test's.
type preparing struct {
	*platformtest.Memory
	prepare func(context.Context, anchor.ProjectID, target) (release.Switch, error)
}

func (p *preparing) Prepare(ctx context.Context, id anchor.ProjectID, t target) (release.Switch, error) {
	return p.prepare(ctx, id, t)
}

// recordsAndPointer reports the calls that a rollback makes to its records.
type recordsAndPointer struct {
	release.Records
	release.Pointer
	call func(op string)
}

func (r *recordsAndPointer) Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error) {
	r.call("Deployment")
	return r.Records.Deployment(ctx, id)
}

func (r *recordsAndPointer) Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error) {
	r.call("Live")
	return r.Pointer.Live(ctx, p)
}

func (r *recordsAndPointer) Accept(ctx context.Context, p anchor.ProjectID) (int64, error) {
	r.call("Accept")
	return r.Pointer.Accept(ctx, p)
}

// TestService_Rollback_ReadsAtOnce: the target is read while Prepare runs, and so are the
// pointer and the request's order. Each waits for the others here.
func TestService_Rollback_ReadsAtOnce(t *testing.T) {
	s := newStand(t)
	first := s.deployed(t)
	s.deployed(t)
	begun, live, accepted := make(chan anchor.ProjectID, 1), make(chan struct{}), make(chan struct{})
	var project anchor.ProjectID
	records := &recordsAndPointer{s.store, s.store, func(op string) {
		switch op {
		case "Deployment":
			project = <-begun
		case "Live":
			close(live)
		case "Accept":
			close(accepted)
		}
	}}
	s.Records, s.Pointer = records, records
	s.Traffic = &preparing{s.platform, func(ctx context.Context, p anchor.ProjectID, target target) (release.Switch, error) {
		begun <- p
		next, err := s.platform.Prepare(ctx, p, target)
		<-live
		<-accepted
		return next, err
	}}
	_, err := s.Rollback(t.Context(), s.project, first.ID)
	must(t, err)
	if project != s.project {
		t.Errorf("the switch is prepared for project %s, want %s", project, s.project)
	}
	s.wantLive(t, first.ID)
}

// TestService_Rollback_CommitsWhatWasPrepared: the rollback does not call Follow.
func TestService_Rollback_CommitsWhatWasPrepared(t *testing.T) {
	s := newStand(t)
	first := s.deployed(t)
	s.deployed(t)
	_, err := s.Rollback(t.Context(), s.project, first.ID)
	must(t, err)
	calls := s.platform.Calls()
	want := []platformtest.Call{{Op: "Prepare", Deployment: first.ID}, {Op: "Commit", Deployment: first.ID}}
	if got := calls[len(calls)-2:]; !slices.Equal(got, want) {
		t.Errorf("the platform is called %v, want %v", got, want)
	}
}

// TestService_Rollback_PrepareHangs: the rollback continues with Follow. A rollback that is
// refused does not wait.
func TestService_Rollback_PrepareHangs(t *testing.T) {
	s := newStand(t)
	first := s.deployed(t)
	s.deployed(t)
	var ended error
	s.Traffic = &preparing{s.platform, func(ctx context.Context, _ anchor.ProjectID, target target) (release.Switch, error) {
		if _, err := target(ctx); err != nil {
			return nil, err
		}
		<-ctx.Done()
		ended = ctx.Err()
		return nil, ended
	}}
	_, err := s.Rollback(t.Context(), s.project, first.ID)
	must(t, err)
	if ended == nil {
		t.Error("nothing ends a Prepare that hangs")
	}
	s.wantLive(t, first.ID)
	calls := s.platform.Calls()
	if last := calls[len(calls)-1]; last.Op != "Follow" {
		t.Errorf("the last call is %v, want Follow", last)
	}
	_, err = s.Rollback(t.Context(), s.project, "nothing")
	wantCode(t, err, anchor.KindNotFound, "unknown_deployment")
}

// TestService_Rollback_CallerLeavesPrepare ends it, with live as it was.
func TestService_Rollback_CallerLeavesPrepare(t *testing.T) {
	s := newStand(t)
	first, second := s.deployed(t), s.deployed(t)
	ctx, leave := context.WithCancel(t.Context())
	s.Traffic = &preparing{s.platform, func(ctx context.Context, _ anchor.ProjectID, target target) (release.Switch, error) {
		_, err := target(ctx)
		must(t, err)
		leave()
		<-ctx.Done()
		return nil, ctx.Err()
	}}
	if _, err := s.Rollback(ctx, s.project, first.ID); !errors.Is(err, context.Canceled) {
		t.Errorf("it returns %v, want that its caller left", err)
	}
	s.wantLive(t, second.ID)
}

// TestService_Rollback_FailsLate: an error after the deadline is still returned.
func TestService_Rollback_FailsLate(t *testing.T) {
	s := newStand(t)
	first, second := s.deployed(t), s.deployed(t)
	s.Traffic = &preparing{s.platform, func(ctx context.Context, _ anchor.ProjectID, target target) (release.Switch, error) {
		_, err := target(ctx)
		must(t, err)
		<-ctx.Done()
		return nil, errLost
	}}
	_, err := s.Rollback(t.Context(), s.project, first.ID)
	wantCode(t, err, anchor.KindFailed, "switch_failed")
	s.wantLive(t, second.ID)
}

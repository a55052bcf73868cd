package release_test

import (
	"context"
	"errors"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/release"
)

// expecting is a Traffic that tells what it expects.
type expecting struct {
	*platformtest.Memory
	expect func(context.Context, anchor.ProjectID)
}

func (e *expecting) Expect(ctx context.Context, p anchor.ProjectID) { e.expect(ctx, p) }

// reading are Records that tell of each read of a deployment.
type reading struct {
	release.Records
	read func(context.Context)
}

func (r *reading) Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error) {
	r.read(ctx)
	return r.Records.Deployment(ctx, id)
}

// TestExpectGoesBesideTheRead of the target: each ends only when the other has begun.
// Ready comes after both.
func TestExpectGoesBesideTheRead(t *testing.T) {
	s := newStand(t)
	target := s.deployed(t)
	s.deployed(t)
	expects, reads, expected := make(chan anchor.ProjectID, 1), make(chan struct{}), false
	traffic := &expecting{s.platform, func(_ context.Context, p anchor.ProjectID) {
		expects <- p
		<-reads
		expected = true
	}}
	s.Traffic = traffic
	var told anchor.ProjectID
	s.Records = &reading{s.store, func(context.Context) {
		told = <-expects
		close(reads)
	}}
	s.platform.Fault = func(_ context.Context, op string, _ anchor.DeploymentID) (bool, error) {
		if op == "Ready" && !expected {
			t.Error("Ready is called while Expect is at it")
		}
		return false, nil
	}
	_, err := s.Rollback(t.Context(), s.project, target.ID)
	must(t, err)
	if told != s.project {
		t.Errorf("expected is %s, want %s", told, s.project)
	}
	s.wantLive(t, target.ID)
}

// TestExpectThatHangs does not keep a rollback: what it would have found is looked up.
func TestExpectThatHangs(t *testing.T) {
	s := newStand(t)
	target := s.deployed(t)
	s.deployed(t)
	s.Traffic = &expecting{s.platform, func(ctx context.Context, _ anchor.ProjectID) { <-ctx.Done() }}
	_, err := s.Rollback(t.Context(), s.project, target.ID)
	must(t, err)
	s.wantLive(t, target.ID)
	// Where there is no target there is nothing to wait for.
	var ended error
	s.Traffic = &expecting{s.platform, func(ctx context.Context, _ anchor.ProjectID) {
		<-ctx.Done()
		ended = ctx.Err()
	}}
	_, err = s.Rollback(t.Context(), s.project, "nothing")
	wantCode(t, err, anchor.KindNotFound, "unknown_deployment")
	if !errors.Is(ended, context.Canceled) {
		t.Errorf("Expect ends with %v", ended)
	}
}

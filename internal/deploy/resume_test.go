package deploy_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// interrupted closes the service as soon as a step begins; the pass is then cut off by the step's
// first call.
func interrupted(t *testing.T, step string, change ...func(*deploy.Request)) (*stand, anchor.DeploymentID) {
	t.Helper()
	reached, closing := make(chan struct{}), make(chan struct{})
	passes := make(chan context.Context, 1)
	s := newStand(t, func(s *stand) {
		s.passes = passes
		s.before = func(name string) {
			if name == step {
				close(reached)
				<-closing
			}
		}
	})
	id := s.deploy(t, s.project, change...)
	<-reached
	closed := make(chan struct{})
	go func() { s.Close(); close(closed) }()
	<-(<-passes).Done()
	close(closing)
	<-closed
	s.before, s.passes = nil, nil
	return s, id
}

func TestResume_AfterInterruptionInEachStep(t *testing.T) {
	for _, step := range []string{"check", "assets", "functions", "cache", "probe", "release"} {
		t.Run(step, func(t *testing.T) {
			s, id := interrupted(t, step)
			d, err := s.store.Deployment(t.Context(), id)
			must(t, err)
			if d.Status != anchor.Deploying {
				t.Fatalf("interrupted in %s, it is %s: %s", step, d.Status, d.ErrorMessage)
			}
			s.open()
			must(t, s.Resume(t.Context()))
			must(t, s.Resume(t.Context())) // a second one does no harm
			s.wantStatus(t, id, anchor.Deployed)
			s.wantLive(t, s.project, id)
			if releases, err := s.store.Releases(t.Context(), s.project, anchor.Page{}); err != nil || len(releases.Items) != 1 {
				t.Errorf("it was released %d times, %v", len(releases.Items), err)
			}
		})
	}
}

// TestResume_InterruptedAfterRelease: a release that has begun ends.
func TestResume_InterruptedAfterRelease(t *testing.T) {
	s, id := interrupted(t, "purge")
	s.wantStatus(t, id, anchor.Deployed)
	s.wantLive(t, s.project, id)
}

func TestResume_WithoutRelease(t *testing.T) {
	s, id := interrupted(t, "record", noRelease)
	s.open()
	must(t, s.Resume(t.Context()))
	s.wantStatus(t, id, anchor.Deployed)
	if _, err := s.store.Live(t.Context(), s.project); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("something is live: %v", err)
	}
}

func TestResume_KeepsOrder(t *testing.T) {
	s := newStand(t)
	s.Close() // nothing runs while these are finished
	var ids []anchor.DeploymentID
	for range 3 {
		ids = append(ids, s.start(t, s.project))
	}
	for i := range ids {
		_, err := s.Finish(t.Context(), s.project, ids[len(ids)-1-i])
		must(t, err)
	}
	s.open()
	must(t, s.Resume(t.Context()))
	for _, id := range ids {
		s.wantStatus(t, id, anchor.Deployed)
	}
	s.wantLive(t, s.project, ids[2])
}

func TestResume_CancelsAbandonedUploads(t *testing.T) {
	s := newStand(t)
	fresh := s.start(t, s.project)
	old := anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project, Status: anchor.Building,
		CreatedAt: time.Now().Add(-25 * time.Hour).UnixMilli(),
	}
	must(t, s.store.CreateDeployment(t.Context(), old))
	must(t, s.Resume(t.Context()))
	if d := s.wantStatus(t, old.ID, anchor.Canceled); d.ErrorStep != "upload" || d.ErrorMessage == "" {
		t.Errorf("given up, it is %+v", d)
	}
	_, err := s.Finish(t.Context(), s.project, fresh)
	must(t, err)
	s.wantStatus(t, fresh, anchor.Deployed)
}

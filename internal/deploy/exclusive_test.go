package deploy_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// TestService_Exclusive_WaitsForThePassOfItsProcess removes a project in the middle of a deployment:
// the pass is canceled, and ends before the work begins.
func TestService_Exclusive_WaitsForThePassOfItsProcess(t *testing.T) {
	for _, op := range []string{"Check", "Upload", "Publish", "Seed", "Probe"} {
		t.Run(op, func(t *testing.T) {
			entered := make(chan struct{})
			s := newStand(t, func(s *stand) {
				s.platform.Fault = func(ctx context.Context, asked string, _ anchor.DeploymentID) (bool, error) {
					if asked != op {
						return false, nil
					}
					close(entered)
					<-ctx.Done()
					return true, context.Cause(ctx) // it took effect all the same
				}
			})
			running := s.deploy(t, s.project)
			waiting, uploading := s.deploy(t, s.project), s.start(t, s.project)
			<-entered
			must(t, s.store.RetireProject(t.Context(), s.project))
			must(t, s.CancelAll(t.Context(), s.project))
			must(t, s.Exclusive(t.Context(), s.project, func(ctx context.Context) error {
				for _, id := range []anchor.DeploymentID{running, waiting, uploading} {
					if d, err := s.store.Deployment(ctx, id); err != nil || d.Status != anchor.Canceled {
						t.Errorf("when the work begins %s is %s, %v", id, d.Status, err)
					}
				}
				return s.platform.RemoveProject(ctx, s.project)
			}))
			s.Close()
			if held := s.platform.Held(); len(held) != 0 {
				t.Errorf("the platform still holds %v", held)
			}
		})
	}
}

// TestService_Exclusive_HoldsDeploymentsBack asserts that a deployment which is finished meanwhile
// runs once the work has ended.
func TestService_Exclusive_HoldsDeploymentsBack(t *testing.T) {
	s := newStand(t)
	other := s.newProject(t, "other")
	var id anchor.DeploymentID
	must(t, s.Exclusive(t.Context(), s.project, func(ctx context.Context) error {
		id = s.deploy(t, s.project)
		s.deployed(t, other) // other projects do not wait
		if slices.ContainsFunc(s.platform.Calls(), func(c platformtest.Call) bool { return c.Deployment == id }) {
			t.Error("the deployment runs beside the work")
		}
		return nil
	}))
	s.wantStatus(t, id, anchor.Deployed)
	must(t, s.Exclusive(t.Context(), s.project, func(context.Context) error { return nil }))
}

// TestService_Exclusive_Busy gives up when the caller does, and leaves the running pass alone.
func TestService_Exclusive_Busy(t *testing.T) {
	h := newHold()
	s := newStand(t, func(s *stand) {
		s.platform.Fault = func(ctx context.Context, op string, _ anchor.DeploymentID) (bool, error) {
			if op == "Probe" {
				return false, h.wait(ctx)
			}
			return false, nil
		}
	})
	id := s.deploy(t, s.project)
	<-h.entered
	ended, leave := context.WithCancel(t.Context())
	leave()
	err := s.Exclusive(ended, s.project, func(context.Context) error {
		t.Error("the work runs beside a pass")
		return nil
	})
	if anchor.KindOf(err) != anchor.KindBusy || anchor.CodeOf(err) != "deploying" || !errors.Is(err, context.Canceled) {
		t.Errorf("Exclusive returns %v", err)
	}
	close(h.letGo)
	s.wantStatus(t, id, anchor.Deployed)
}

// TestService_Resume_RetiredProject cancels what a crash left of a project that is being removed.
func TestService_Resume_RetiredProject(t *testing.T) {
	s := newStand(t)
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project, Status: anchor.Deploying}
	must(t, s.store.CreateDeployment(t.Context(), d))
	must(t, s.store.RetireProject(t.Context(), s.project))
	must(t, s.Resume(t.Context()))
	s.wantStatus(t, d.ID, anchor.Canceled)
	for _, call := range s.platform.Calls() {
		if call.Op != "Remove" {
			t.Errorf("the platform is called to %s", call.Op)
		}
	}
}

package deploy_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// hold is a platform's call that waits until it is released or its context ends.
type hold struct {
	entered, letGo chan struct{}
	once           sync.Once
}

func newHold() *hold { return &hold{entered: make(chan struct{}), letGo: make(chan struct{})} }

func (h *hold) wait(ctx context.Context) error {
	h.once.Do(func() { close(h.entered) })
	select {
	case <-h.letGo:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestCancel_WhileFilesArrive(t *testing.T) {
	s := newStand(t)
	id := s.start(t, s.project)
	d, err := s.Cancel(t.Context(), s.project, id)
	must(t, err)
	if d.Status != anchor.Canceled || d.ErrorMessage == "" {
		t.Errorf("canceled, it is %+v", d)
	}
	_, err = s.Finish(t.Context(), s.project, id)
	wantKind(t, err, anchor.KindConflict)
	if _, _, err := s.bundles.Unpack(t.Context(), id); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("its artifact is still there: %v", err)
	}
}

func TestCancel_WhileQueued(t *testing.T) {
	first := newHold()
	s := newStand(t, func(s *stand) {
		s.platform.Fault = func(ctx context.Context, op string, _ anchor.DeploymentID) (bool, error) {
			if op == "Check" {
				return false, first.wait(ctx)
			}
			return false, nil
		}
	})
	running := s.deploy(t, s.project)
	<-first.entered
	waiting := s.deploy(t, s.project)
	d, err := s.Cancel(t.Context(), s.project, waiting)
	must(t, err)
	if d.Status != anchor.Canceled {
		t.Errorf("canceled, it is %s", d.Status)
	}
	close(first.letGo)
	s.wantStatus(t, running, anchor.Deployed)
	s.wantLive(t, s.project, running)
}

// TestCancel_InEachStep cancels while the platform works, whatever error the platform then
// returns.
func TestCancel_InEachStep(t *testing.T) {
	for _, op := range []string{"Check", "Upload", "Publish", "Seed", "Probe"} {
		for _, own := range []error{nil, anchor.Failed("probe_timeout", "took too long")} {
			t.Run(op, func(t *testing.T) {
				h := newHold()
				s := newStand(t, func(s *stand) {
					s.platform.Fault = func(ctx context.Context, asked string, _ anchor.DeploymentID) (bool, error) {
						if asked != op {
							return false, nil
						}
						err := h.wait(ctx)
						if err != nil && own != nil {
							err = own
						}
						return true, err
					}
				})
				id := s.deploy(t, s.project)
				<-h.entered
				d, err := s.Cancel(t.Context(), s.project, id)
				must(t, err)
				if d.Status != anchor.Canceled {
					t.Fatalf("canceled, it is %s: %s", d.Status, d.ErrorMessage)
				}
				if _, err := s.store.Live(t.Context(), s.project); !errors.Is(err, anchor.ErrNotFound) {
					t.Errorf("something is live: %v", err)
				}
				eventually(t, "what it had is reclaimed", func() bool { return !s.platform.Holds(id) })
				if _, err := s.Cancel(t.Context(), s.project, id); anchor.CodeOf(err) != "ended" {
					t.Errorf("canceled again: %v", err)
				}
			})
		}
	}
}

// TestCancel_BeforeFirstStep cancels while a pass reads and marks its record.
func TestCancel_BeforeFirstStep(t *testing.T) {
	for _, op := range []string{"Deployment", "Project", "UpdateDeployment"} {
		t.Run(op, func(t *testing.T) {
			var armed, waited atomic.Bool
			entered, waiting := make(chan struct{}), make(chan struct{})
			s := newStand(t, func(s *stand) {
				s.store.Fault = func(asked string) (bool, error) {
					if asked == "Events" && waited.CompareAndSwap(false, true) {
						close(waiting) // who canceled waits for the end
					}
					if asked == op && armed.CompareAndSwap(true, false) {
						close(entered)
						<-waiting
					}
					return false, nil
				}
			})
			id := s.start(t, s.project)
			d, err := s.store.Deployment(t.Context(), id)
			must(t, err)
			d.Status = anchor.Built
			must(t, s.store.UpdateDeployment(t.Context(), d, anchor.Building))
			armed.Store(true)
			must(t, s.Resume(t.Context()))
			<-entered
			d, err = s.Cancel(t.Context(), s.project, id)
			must(t, err)
			if d.Status != anchor.Canceled {
				t.Errorf("canceled, it is %s: %s", d.Status, d.ErrorMessage)
			}
		})
	}
}

func TestCancel_DuringReleaseIsTooLate(t *testing.T) {
	h := newHold()
	s := newStand(t, func(s *stand) {
		s.platform.Fault = func(ctx context.Context, op string, _ anchor.DeploymentID) (bool, error) {
			if op == "Follow" {
				return false, h.wait(ctx)
			}
			return false, nil
		}
	})
	id := s.deploy(t, s.project)
	<-h.entered
	answer := make(chan anchor.Deployment, 1)
	go func() {
		d, err := s.Cancel(t.Context(), s.project, id)
		if err != nil && anchor.CodeOf(err) != "ended" {
			t.Error(err)
		}
		answer <- d
	}()
	close(h.letGo)
	if d := <-answer; d.Status != anchor.Deployed {
		t.Errorf("canceled in its release, it is %s", d.Status)
	}
	s.wantStatus(t, id, anchor.Deployed)
	s.wantLive(t, s.project, id)
}

func TestCancel_RacesFinish(t *testing.T) {
	s := newStand(t)
	for range 20 {
		id := s.start(t, s.project)
		var both sync.WaitGroup
		both.Go(func() {
			if _, err := s.Finish(t.Context(), s.project, id); err != nil && anchor.CodeOf(err) != "not_uploading" && !errors.Is(err, anchor.ErrNotFound) {
				t.Errorf("finish: %v", err)
			}
		})
		both.Go(func() {
			if _, err := s.Cancel(t.Context(), s.project, id); err != nil && anchor.CodeOf(err) != "ended" {
				t.Errorf("cancel: %v", err)
			}
		})
		both.Wait()
		s.journal.waitEnd(t, id)
	}
}

func TestCancel_DeploymentOfAnotherProject(t *testing.T) {
	s := newStand(t)
	other := s.newProject(t, "other")
	id := s.start(t, s.project)
	_, err := s.Cancel(t.Context(), other, id)
	wantKind(t, err, anchor.KindNotFound)
}

func wantKind(t *testing.T, err error, want anchor.Kind) {
	t.Helper()
	if err == nil || anchor.KindOf(err) != want {
		t.Errorf("error %v, want one of kind %s", err, want)
	}
	if anchor.HintOf(err) == "" {
		t.Errorf("%v does not say what to do", err)
	}
}

// TestService_Exclusive_WaitsForWhatCancelAllInterrupts removes a project as project.Service does.
func TestService_Exclusive_WaitsForWhatCancelAllInterrupts(t *testing.T) {
	h := newHold() // is never released: only the cancel ends it
	s := newStand(t, func(s *stand) {
		s.platform.Fault = func(ctx context.Context, op string, _ anchor.DeploymentID) (bool, error) {
			if op == "Publish" {
				return true, h.wait(ctx)
			}
			return false, nil
		}
	})
	running := s.deploy(t, s.project)
	<-h.entered
	uploading := s.start(t, s.project)
	must(t, s.CancelAll(t.Context(), s.project))
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	var before []platformtest.Call
	must(t, s.Exclusive(ctx, s.project, func(context.Context) error {
		before = s.platform.Calls()
		s.deploy(t, s.newProject(t, "other")) // nothing of another project waits
		return nil
	}))
	if !slices.Contains(before, platformtest.Call{Op: "Publish", Deployment: running}) {
		t.Errorf("the work ran before the interrupted step ended, after %v", before)
	}
	for _, id := range []anchor.DeploymentID{running, uploading} {
		if d := s.wantStatus(t, id, anchor.Canceled); d.ErrorMessage != "its project is being removed" {
			t.Errorf("it was canceled with %q", d.ErrorMessage)
		}
	}
}

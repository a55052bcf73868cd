package release_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
)

var errDenied = anchor.Failed("aws_denied", "lambda:UpdateAlias is not allowed").Hintf("Allow it.")

// failSwitches makes the next calls of Commit and Follow fail, applied or not.
func (s *stand) failSwitches(apply ...bool) {
	s.platform.Fault = func(_ context.Context, op string, _ anchor.DeploymentID) (bool, error) {
		if op != "Commit" && op != "Follow" || len(apply) == 0 {
			return false, nil
		}
		next := apply[0]
		apply = apply[1:]
		return next, errDenied
	}
}

// switches are the three requests that move traffic.
var switches = map[string]func(*stand, context.Context, anchor.Deployment, anchor.Deployment) error{
	"deploy": func(s *stand, ctx context.Context, _, next anchor.Deployment) error {
		next.Status = anchor.Deployed
		live, err := s.GoLive(ctx, next)
		if err != nil && live.Revision != 0 {
			return errors.Join(err, errors.New("it returns a pointer"))
		}
		return err
	},
	"promote": func(s *stand, ctx context.Context, earlier, _ anchor.Deployment) error {
		_, err := s.Promote(ctx, s.project, earlier.ID)
		return err
	},
	"rollback": func(s *stand, ctx context.Context, earlier, _ anchor.Deployment) error {
		_, err := s.Rollback(ctx, s.project, earlier.ID)
		return err
	},
}

// failedRecord returns the record of the release before the last, the undo, and asserts that the
// undo names it.
func (s *stand) failedRecord(t *testing.T) anchor.Deployment {
	t.Helper()
	releases, err := s.List(t.Context(), s.project, anchor.Page{})
	must(t, err)
	undo, failed := releases.Items[0], releases.Items[1]
	if undo.Kind != anchor.ReleaseUndo || undo.Record != failed.Record || undo.From != failed.Deployment {
		t.Errorf("the last release is %+v, want the undo of %+v", undo, failed)
	}
	return s.get(t, failed.Record)
}

// TestService_FailedSwitchIsUndone: whether or not the failed switch took effect in part, pointer
// and traffic are as they were, and the record says what failed.
func TestService_FailedSwitchIsUndone(t *testing.T) {
	for kind, do := range switches {
		for _, apply := range []bool{false, true} {
			t.Run(kind+" "+name(apply), func(t *testing.T) {
				s := newStand(t)
				earlier, current := s.deployed(t), s.deployed(t)
				next := s.record(t, s.project, anchor.Deploying)
				s.failSwitches(apply)
				err := do(s, t.Context(), earlier, next)
				wantCode(t, err, anchor.KindFailed, "switch_failed")
				if !errors.Is(err, errDenied) || anchor.HintOf(err) != anchor.HintOf(errDenied) {
					t.Errorf("the error %v (%s) does not say what the cause says", err, anchor.HintOf(err))
				}
				if live := s.wantLive(t, current.ID); live.Version != current.Version || live.DividedSince != 0 {
					t.Errorf("live is %+v", live)
				}
				failed := s.failedRecord(t)
				if kind == "promote" {
					if failed.Status != anchor.Deployed {
						t.Errorf("the promoted deployment is %s", failed.Status)
					}
				} else if failed.Status != anchor.DeployFailed || failed.ErrorStep != "release" || !strings.Contains(failed.ErrorMessage, errDenied.Message) {
					t.Errorf("the record is %+v", failed)
				}
				// The failed release does not count: a rollback returns to what was live before.
				_, err = s.Rollback(t.Context(), s.project, "")
				must(t, err)
				s.wantLive(t, earlier.ID)
			})
		}
	}
}

// TestService_LateDeployAfterUndo: an undone release does not supersede the requests before it.
func TestService_LateDeployAfterUndo(t *testing.T) {
	s := newStand(t)
	s.deployed(t)
	late := s.record(t, s.project, anchor.Deploying)
	failing := s.record(t, s.project, anchor.Deploying)
	s.failSwitches(false)
	failing.Status = anchor.Deployed
	if _, err := s.GoLive(t.Context(), failing); err == nil {
		t.Fatal("the switch did not fail")
	}
	late.Status = anchor.Deployed
	_, err := s.GoLive(t.Context(), late)
	must(t, err)
	s.wantLive(t, late.ID)
}

// TestService_UndoFails: everybody can see that traffic is divided and since when, until it
// follows again, which the journal says.
func TestService_UndoFails(t *testing.T) {
	for kind, do := range switches {
		t.Run(kind, func(t *testing.T) {
			s := newStand(t)
			earlier, current := s.deployed(t), s.deployed(t)
			next := s.record(t, s.project, anchor.Deploying)
			s.failSwitches(true, false)
			err := do(s, t.Context(), earlier, next)
			wantCode(t, err, anchor.KindFailed, release.DividedCode)
			live, err := s.Live(t.Context(), s.project)
			must(t, err)
			if live.Deployment != current.ID || live.DividedSince == 0 {
				t.Errorf("live is %+v, want %s with divided traffic", live, current.ID)
			}
			failed := s.failedRecord(t)
			if kind != "promote" && failed.Status != anchor.DeployFailed || !strings.Contains(failed.ErrorMessage, "may reach another deployment than "+current.Version) {
				t.Errorf("the record is %+v", failed)
			}
			s.wantHeals(t, current.ID)
			if message := s.get(t, failed.ID).ErrorMessage; kind != "promote" && !strings.Contains(message, "All requests reach "+current.Version) {
				t.Errorf("the record still says %q", message)
			}
		})
	}
}

// wantHeals asserts that Follow sends all traffic to the live deployment and records it once.
func (s *stand) wantHeals(t *testing.T, want anchor.DeploymentID) {
	t.Helper()
	s.platform.Fault = nil
	for range 2 {
		must(t, s.Follow(t.Context(), s.project))
	}
	live := s.wantLive(t, want)
	if live.DividedSince != 0 {
		t.Errorf("traffic is still divided: %+v", live)
	}
	events, err := s.store.Events(t.Context(), live.Record, 0)
	must(t, err)
	healed := slices.DeleteFunc(events, func(e anchor.Event) bool { return !strings.Contains(e.Message, "traffic was divided since") })
	if len(healed) != 1 || healed[0].Step != "release" {
		t.Errorf("the journal says of the end of the division: %+v", healed)
	}
}

// TestService_FirstSwitchFails: nothing was live before, so the pointer cannot go back. The
// deployment is not called a success until traffic follows.
func TestService_FirstSwitchFails(t *testing.T) {
	s := newStand(t)
	d := s.record(t, s.project, anchor.Deploying)
	d.Status = anchor.Deployed
	s.failSwitches(false)
	live, err := s.GoLive(t.Context(), d)
	wantCode(t, err, anchor.KindFailed, release.DividedCode)
	if live.Deployment != d.ID {
		t.Errorf("the pointer is %+v", live)
	}
	if got := s.get(t, d.ID); got.Status != anchor.Deployed || got.ErrorStep != "release" || got.ErrorMessage == "" {
		t.Errorf("the record is %+v", got)
	}
	s.wantHeals(t, d.ID)
	if got := s.get(t, d.ID); got.ErrorStep != "" || got.ErrorMessage != "" {
		t.Errorf("the record of what is live and well is %+v", got)
	}
}

// TestService_RecordsFailTheUndo loses the undo, before and after it took effect.
func TestService_RecordsFailTheUndo(t *testing.T) {
	for _, apply := range []bool{false, true} {
		t.Run(name(apply), func(t *testing.T) {
			s := newStand(t)
			earlier, current := s.deployed(t), s.deployed(t)
			s.failSwitches(false)
			s.failOnce(map[string]bool{"Undo": apply})
			_, err := s.Rollback(t.Context(), s.project, earlier.ID)
			if apply {
				wantCode(t, err, anchor.KindFailed, "switch_failed")
				s.wantLive(t, current.ID)
				return
			}
			wantCode(t, err, anchor.KindFailed, release.DividedCode)
			live, err := s.Live(t.Context(), s.project)
			must(t, err)
			if live.Deployment != earlier.ID || live.DividedSince == 0 {
				t.Errorf("live is %+v, want %s with divided traffic", live, earlier.ID)
			}
			s.wantHeals(t, earlier.ID)
		})
	}
}

// TestService_NewerReleaseThanTheFailedOne moves the pointer while the switch fails: the newer
// release stays.
func TestService_NewerReleaseThanTheFailedOne(t *testing.T) {
	s := newStand(t)
	earlier, current := s.deployed(t), s.deployed(t)
	other := release.New(release.Ports{Pointer: s.store, Traffic: s.platform, Records: s.store}, release.Options{})
	failed := false
	s.platform.Fault = func(ctx context.Context, op string, _ anchor.DeploymentID) (bool, error) {
		if op != "Commit" || failed {
			return false, nil
		}
		failed = true
		if _, err := other.Promote(ctx, s.project, current.ID); err != nil {
			t.Error(err)
		}
		return true, errDenied
	}
	_, err := s.Rollback(t.Context(), s.project, earlier.ID)
	wantCode(t, err, anchor.KindFailed, "switch_failed")
	if live := s.wantLive(t, current.ID); live.Revision != 4 || live.DividedSince != 0 {
		t.Errorf("live is %+v", live)
	}
}

// TestService_NextReleaseEndsADivision: a release that succeeds sends all traffic to its deployment,
// and the record of the one that failed says so.
func TestService_NextReleaseEndsADivision(t *testing.T) {
	for name, next := range map[string]func(*stand, context.Context, anchor.Deployment) error{
		"promote": func(s *stand, ctx context.Context, first anchor.Deployment) error {
			_, err := s.Promote(ctx, s.project, first.ID)
			return err
		},
		"deploy": func(s *stand, ctx context.Context, _ anchor.Deployment) error {
			d := s.record(t, s.project, anchor.Deploying)
			d.Status = anchor.Deployed
			_, err := s.GoLive(ctx, d)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			first := s.record(t, s.project, anchor.Deploying)
			first.Status = anchor.Deployed
			s.failSwitches(false)
			if _, err := s.GoLive(t.Context(), first); anchor.CodeOf(err) != release.DividedCode {
				t.Fatalf("the first switch ends with %v", err)
			}
			must(t, next(s, t.Context(), first))
			if live, err := s.Live(t.Context(), s.project); err != nil || live.DividedSince != 0 {
				t.Errorf("live is %+v, %v", live, err)
			}
			if got := s.get(t, first.ID); got.ErrorStep != "" || got.ErrorMessage != "" {
				t.Errorf("the record still says %q: %s", got.ErrorStep, got.ErrorMessage)
			}
			events, err := s.store.Events(t.Context(), first.ID, 0)
			must(t, err)
			if last := events[len(events)-1]; !strings.Contains(last.Message, "traffic was divided since") {
				t.Errorf("its journal ends with %+v", last)
			}
		})
	}
}

package release_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestRollback_ToPrevious(t *testing.T) {
	s := newStand(t)
	first, second := s.deployed(t), s.deployed(t)
	r, err := s.Rollback(t.Context(), s.project, "")
	must(t, err)
	live := s.wantLive(t, first.ID)
	rec := s.get(t, r.Record.ID)
	if !rec.IsRollback || rec.RollbackFrom != second.Version || rec.RollbackTo != first.ID || rec.Status != anchor.Deployed ||
		rec.CommitSha != first.CommitSha || rec.Functions["default"] != first.Functions["default"] ||
		!strings.HasPrefix(rec.Version, fmt.Sprintf("rollback-%s-", first.ID)) {
		t.Errorf("the rollback's record is %+v", rec)
	}
	if live.Record != rec.ID || live.Revision != 3 || r.PreviousVersion != second.Version || r.Live != live {
		t.Errorf("live is %+v, the answer %+v", live, r)
	}
}

// TestRollback_OfRollbackRecord targets the deployment that the rollback had made live.
func TestRollback_OfRollbackRecord(t *testing.T) {
	s := newStand(t)
	first := s.deployed(t)
	s.deployed(t)
	back, err := s.Rollback(t.Context(), s.project, first.ID)
	must(t, err)
	s.deployed(t)
	again, err := s.Rollback(t.Context(), s.project, back.Record.ID)
	must(t, err)
	s.wantLive(t, first.ID)
	if rec := s.get(t, again.Record.ID); rec.RollbackTo != first.ID {
		t.Errorf("its record names %s, want the deployment that serves, %s", rec.RollbackTo, first.ID)
	}
	if _, err := s.Promote(t.Context(), s.project, back.Record.ID); err != nil {
		t.Errorf("promote a rollback's record: %v", err)
	}
	s.wantLive(t, first.ID)
}

func TestPromote_NeverLive(t *testing.T) {
	s := newStand(t)
	quiet := s.record(t, s.project, anchor.Deployed)
	r, err := s.Promote(t.Context(), s.project, quiet.ID)
	must(t, err)
	s.wantLive(t, quiet.ID)
	if r.Record.ID != quiet.ID || r.PreviousVersion != "" || r.Live.Revision != 1 {
		t.Errorf("the answer is %+v", r)
	}
}

func TestRollback_RefusedTargets(t *testing.T) {
	s := newStand(t)
	live := s.deployed(t)
	pruned := s.record(t, s.project, anchor.Deployed)
	pruned.PrunedAt = 1
	must(t, s.store.UpdateDeployment(t.Context(), pruned, anchor.Deployed))
	foreign := s.record(t, s.newProject(t, "other"), anchor.Deployed)
	cases := []struct {
		target anchor.DeploymentID
		kind   anchor.Kind
		code   string
	}{
		{anchor.DeploymentID(anchor.NewID()), anchor.KindNotFound, "unknown_deployment"},
		{foreign.ID, anchor.KindNotFound, "unknown_deployment"},
		{pruned.ID, anchor.KindConflict, "pruned"},
		{s.record(t, s.project, anchor.Deploying).ID, anchor.KindConflict, "never_deployed"},
		{s.record(t, s.project, anchor.DeployFailed).ID, anchor.KindConflict, "never_deployed"},
	}
	for _, c := range cases {
		_, err := s.Rollback(t.Context(), s.project, c.target)
		wantCode(t, err, c.kind, c.code)
		if hint := anchor.HintOf(err); strings.Contains(hint, "  ") {
			t.Errorf("the hint %q lacks a word", hint)
		}
		_, err = s.Promote(t.Context(), s.project, c.target)
		wantCode(t, err, c.kind, c.code)
	}
	_, err := s.Rollback(t.Context(), s.project, "")
	wantCode(t, err, anchor.KindConflict, "nothing_before")
	s.wantLive(t, live.ID)
}

// TestMove_Fails loses the swap's answer, before and after it took effect.
func TestMove_Fails(t *testing.T) {
	for _, apply := range []bool{false, true} {
		t.Run("rollback "+name(apply), func(t *testing.T) {
			s := newStand(t)
			first, second := s.deployed(t), s.deployed(t)
			s.failOnce(map[string]bool{"Move": apply})
			r, err := s.Rollback(t.Context(), s.project, first.ID)
			if !apply {
				wantCode(t, err, anchor.KindFailed, "switch_failed")
				s.wantLive(t, second.ID)
				return
			}
			must(t, err)
			if live := s.wantLive(t, first.ID); live.Record != r.Record.ID || s.get(t, r.Record.ID).Status != anchor.Deployed {
				t.Errorf("live is %+v, the answer %+v", live, r)
			}
		})
		t.Run("deploy "+name(apply), func(t *testing.T) {
			s := newStand(t)
			old := s.deployed(t)
			d := s.record(t, s.project, anchor.Deploying)
			d.Status = anchor.Deployed
			s.failOnce(map[string]bool{"Move": apply})
			_, err := s.GoLive(t.Context(), d)
			if !apply {
				wantCode(t, err, anchor.KindFailed, "switch_failed")
				s.wantLive(t, old.ID)
				return
			}
			must(t, err)
			s.wantLive(t, d.ID)
		})
	}
}

// TestMove_OutcomeUnknown loses the swap's answer and fails the read after it.
func TestMove_OutcomeUnknown(t *testing.T) {
	s := newStand(t)
	first := s.deployed(t)
	s.deployed(t)
	lost := false
	s.store.Fault = func(op string) (bool, error) {
		if op == "Move" {
			lost = true
			return true, errLost
		}
		if op == "Live" && lost {
			return false, errLost
		}
		return false, nil
	}
	_, err := s.Rollback(t.Context(), s.project, first.ID)
	wantCode(t, err, anchor.KindFailed, "switch_unknown")
	s.store.Fault = nil
	must(t, s.Follow(t.Context(), s.project))
	s.wantLive(t, first.ID)
}

func TestRollback_TargetDoesNotStart(t *testing.T) {
	s := newStand(t)
	first, second := s.deployed(t), s.deployed(t)
	s.failPlatform("Prepare", false, errLost)
	_, err := s.Rollback(t.Context(), s.project, first.ID)
	wantCode(t, err, anchor.KindFailed, "switch_failed")
	s.wantLive(t, second.ID)
	if all, err := s.store.Deployments(t.Context(), s.project, anchor.Page{}); err != nil || len(all.Items) != 2 {
		t.Errorf("there are %d records, %v", len(all.Items), err)
	}
}

// TestRollback_ColdTarget switches although the target is still starting.
func TestRollback_ColdTarget(t *testing.T) {
	s := newStand(t)
	first := s.deployed(t)
	s.deployed(t)
	s.platform.Fault = func(ctx context.Context, op string, _ anchor.DeploymentID) (bool, error) {
		if op == "Prepare" {
			<-ctx.Done()
			return false, fmt.Errorf("still starting: %w", ctx.Err())
		}
		return false, nil
	}
	_, err := s.Rollback(t.Context(), s.project, first.ID)
	must(t, err)
	s.wantLive(t, first.ID)
}

// TestRollback_CallerLeaves between the swap and the route: both happen.
func TestRollback_CallerLeaves(t *testing.T) {
	s := newStand(t)
	first := s.deployed(t)
	s.deployed(t)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	s.store.Fault = func(op string) (bool, error) {
		if op == "Move" {
			leave()
		}
		return false, nil
	}
	_, err := s.Rollback(ctx, s.project, first.ID)
	must(t, err)
	s.wantLive(t, first.ID)
}

func TestRollback_CallerLeftBefore(t *testing.T) {
	s := newStand(t)
	first, second := s.deployed(t), s.deployed(t)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if _, err := s.Rollback(ctx, s.project, first.ID); err == nil {
		t.Error("it rolled back for nobody")
	}
	s.wantLive(t, second.ID)
}

// TestRollback_ManyAtOnce runs releases of one project at once, for -race.
func TestRollback_ManyAtOnce(t *testing.T) {
	s := newStand(t)
	ids := []anchor.DeploymentID{s.deployed(t).ID, s.deployed(t).ID, s.deployed(t).ID}
	var all sync.WaitGroup
	for i := range 30 {
		all.Go(func() {
			do := s.Rollback
			if i%2 == 0 {
				do = s.Promote
			}
			if _, err := do(t.Context(), s.project, ids[i%3]); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	releases, err := s.List(t.Context(), s.project, anchor.Page{Limit: anchor.MaxPage})
	must(t, err)
	if len(releases.Items) != 33 {
		t.Errorf("%d releases, want 33", len(releases.Items))
	}
	for i, r := range releases.Items {
		if want := int64(33 - i); r.Revision != want {
			t.Errorf("release %d has revision %d, want %d", i, r.Revision, want)
		}
		if i > 0 && releases.Items[i-1].From != r.Deployment {
			t.Errorf("revision %d came from %s, but %s was live", releases.Items[i-1].Revision, releases.Items[i-1].From, r.Deployment)
		}
	}
	s.wantLive(t, releases.Items[0].Deployment)
}

// TestRollback_ClockSetBack releases a deployment whose id is older than the live one's.
func TestRollback_ClockSetBack(t *testing.T) {
	s := newStand(t)
	early := anchor.DeploymentID(anchor.NewID())
	s.deployed(t)
	d := s.publish(t, anchor.Deployment{ID: early, ProjectID: s.project, Status: anchor.Deploying, Version: "v2"})
	d.Status = anchor.Deployed
	_, err := s.GoLive(t.Context(), d)
	must(t, err)
	s.wantLive(t, early)
}

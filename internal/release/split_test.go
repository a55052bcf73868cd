package release_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
	"github.com/anchor-deploy/anchor/internal/release/guard"
)

var tenPercent = anchor.SplitPlan{Weight: 10, Sticky: true}

// divided makes a deployment live and gives another one a share.
func (s *stand) divided(t *testing.T, plan anchor.SplitPlan) (stable, candidate anchor.Deployment) {
	t.Helper()
	candidate, stable = s.deployed(t), s.deployed(t)
	_, err := s.Promote(t.Context(), s.project, candidate.ID, release.Splitting(plan))
	must(t, err)
	return stable, candidate
}

// wantSplit wants that a deployment is live and another one has a share, according to records and platform.
func (s *stand) wantSplit(t *testing.T, stable, candidate anchor.Deployment, weight int) anchor.Live {
	t.Helper()
	live := s.wantLive(t, stable.ID)
	if live.Split == nil || live.Split.Deployment != candidate.ID || live.Split.Version != candidate.Version || live.Split.Weight != weight ||
		live.Version != stable.Version {
		t.Fatalf("the pointer is %+v with the split %+v, want %d %% at %s", live, live.Split, weight, candidate.ID)
	}
	return live
}

// ended returns how the last release ended a split.
func (s *stand) ended(t *testing.T) anchor.SplitEnd {
	t.Helper()
	live, err := s.store.Live(t.Context(), s.project)
	must(t, err)
	list, err := s.List(t.Context(), s.project, anchor.Page{})
	must(t, err)
	if live.Split != nil || list.Items[0].Ended == nil {
		t.Fatalf("the split has not ended: %+v, %+v", live, list.Items[0])
	}
	return *list.Items[0].Ended
}

func TestPromote_Split(t *testing.T) {
	s := newStand(t)
	stable, candidate := s.divided(t, anchor.SplitPlan{Weight: 10, Sticky: true, Then: []int{50, 100}, EverySeconds: 60})
	live := s.wantSplit(t, stable, candidate, 10)
	if live.Split.NextAt-live.Split.StartedAt != 60_000 || live.Record != candidate.ID {
		t.Errorf("%+v of %+v", live.Split, live)
	}
	must(t, s.Advance(t.Context(), live, nil))
	next := s.wantSplit(t, stable, candidate, 50)
	if next.Split.StartedAt != live.Split.StartedAt || len(next.Split.Then) != 1 || next.Order != live.Order {
		t.Errorf("the next step is %+v of %+v", next.Split, next)
	}
	must(t, s.Advance(t.Context(), live, nil)) // an observer that comes late
	s.wantSplit(t, stable, candidate, 50)
	must(t, s.Advance(t.Context(), next, &anchor.Evidence{Seconds: 7}))
	s.wantLive(t, candidate.ID)
	if end := s.ended(t); end.Reason != anchor.SplitCompleted || end.Weight != 50 || end.Deployment != candidate.ID || end.Evidence.Seconds != 7 {
		t.Errorf("%+v", end)
	}
}

// TestSplit_Ends ends a split in each of the ways that users have.
func TestSplit_Ends(t *testing.T) {
	type ids struct{ stable, candidate, other anchor.Deployment }
	for name, c := range map[string]struct {
		do   func(ctx context.Context, s *stand, d ids) error
		live func(d ids) anchor.DeploymentID
		want anchor.SplitReason
	}{
		"cancel": {
			func(ctx context.Context, s *stand, _ ids) error { _, err := s.CancelSplit(ctx, s.project); return err },
			func(d ids) anchor.DeploymentID { return d.stable.ID }, anchor.SplitCanceled,
		},
		"rollback": {
			func(ctx context.Context, s *stand, _ ids) error {
				_, err := s.Rollback(ctx, s.project, "")
				return err
			},
			func(d ids) anchor.DeploymentID { return d.stable.ID }, anchor.SplitCanceled,
		},
		"promote of the live one": {
			func(ctx context.Context, s *stand, d ids) error {
				_, err := s.Promote(ctx, s.project, d.stable.ID)
				return err
			},
			func(d ids) anchor.DeploymentID { return d.stable.ID }, anchor.SplitCanceled,
		},
		"promote of the candidate": {
			func(ctx context.Context, s *stand, d ids) error {
				_, err := s.Promote(ctx, s.project, d.candidate.ID)
				return err
			},
			func(d ids) anchor.DeploymentID { return d.candidate.ID }, anchor.SplitCompleted,
		},
		"rollback to another": {
			func(ctx context.Context, s *stand, d ids) error {
				_, err := s.Rollback(ctx, s.project, d.other.ID)
				return err
			},
			func(d ids) anchor.DeploymentID { return d.other.ID }, anchor.SplitReplaced,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			var d ids
			d.other = s.deployed(t)
			d.stable, d.candidate = s.divided(t, tenPercent)
			must(t, c.do(t.Context(), s, d))
			s.wantLive(t, c.live(d))
			if end := s.ended(t); end.Reason != c.want || end.Deployment != d.candidate.ID || end.Weight != 10 {
				t.Errorf("%+v", end)
			}
			_, err := s.CancelSplit(t.Context(), s.project)
			wantCode(t, err, anchor.KindConflict, "no_split")
			_, err = s.Split(t.Context(), s.project)
			wantCode(t, err, anchor.KindNotFound, "no_split")
		})
	}
}

// TestSplit_OrderOfRequests: a deployment that was accepted before the request for the split does not go live, one that
// was accepted since then does, whatever steps the split has taken.
func TestSplit_OrderOfRequests(t *testing.T) {
	s := newStand(t)
	early := s.record(t, s.project, anchor.Deploying)
	stable, candidate := s.divided(t, anchor.SplitPlan{Weight: 10, Sticky: true, Then: []int{20, 30}, EverySeconds: 1})
	late := s.record(t, s.project, anchor.Deploying)
	must(t, s.Advance(t.Context(), s.wantSplit(t, stable, candidate, 10), nil))
	early.Status = anchor.Deployed
	_, err := s.GoLive(t.Context(), early)
	wantCode(t, err, anchor.KindConflict, release.SupersededCode)
	s.wantSplit(t, stable, candidate, 20)

	late.Status, late.Split = anchor.Deployed, &tenPercent
	_, err = s.GoLive(t.Context(), late)
	must(t, err)
	s.wantSplit(t, stable, late, 10)
	list, err := s.List(t.Context(), s.project, anchor.Page{})
	must(t, err)
	if end := list.Items[0].Ended; end == nil || end.Reason != anchor.SplitReplaced || end.Deployment != candidate.ID {
		t.Errorf("%+v", list.Items[0])
	}

	canceled := s.record(t, s.project, anchor.Deploying)
	_, err = s.CancelSplit(t.Context(), s.project)
	must(t, err)
	canceled.Status = anchor.Deployed
	_, err = s.GoLive(t.Context(), canceled)
	wantCode(t, err, anchor.KindConflict, release.SupersededCode)
	s.wantLive(t, stable.ID)
}

func TestGoLive_SplitOfTheFirst(t *testing.T) {
	s := newStand(t)
	d := s.record(t, s.project, anchor.Deploying)
	d.Status, d.Split = anchor.Deployed, &tenPercent
	live, err := s.GoLive(t.Context(), d)
	must(t, err)
	if live.Split != nil {
		t.Errorf("the first deployment shares its traffic: %+v", live.Split)
	}
	s.wantLive(t, d.ID)
}

func TestSplit_Refused(t *testing.T) {
	s := newStand(t)
	first := s.record(t, s.project, anchor.Deployed)
	promote := func(id anchor.DeploymentID, plan anchor.SplitPlan, more ...release.Option) error {
		_, err := s.Promote(t.Context(), s.project, id, append(more, release.Splitting(plan))...)
		return err
	}
	wantCode(t, promote(first.ID, tenPercent), anchor.KindConflict, "nothing_live")
	live, other := s.deployed(t), s.record(t, s.project, anchor.Deployed)
	wantCode(t, promote(live.ID, tenPercent), anchor.KindConflict, "already_live")
	wantCode(t, promote(other.ID, tenPercent, release.ForceReload), anchor.KindInvalid, "bad_split")
	for _, plan := range []anchor.SplitPlan{
		{}, {Weight: 100}, {Weight: -1}, {Weight: 10, EverySeconds: 5}, {Weight: 10, Then: []int{50}}, {Weight: 10, Then: []int{10}, EverySeconds: 5},
		{Weight: 10, Then: []int{50, 101}, EverySeconds: 5}, {Weight: 10, Then: []int{50, 40}, EverySeconds: 5},
		{Weight: 10, Then: []int{50}, EverySeconds: 1 << 40}, {Weight: 10, Then: []int{50}, EverySeconds: -1}, {Weight: 1, Then: make([]int, 21), EverySeconds: 5},
	} {
		wantCode(t, promote(other.ID, plan), anchor.KindInvalid, "bad_split")
	}
	if now := s.wantLive(t, live.ID); now.Split != nil || now.Revision != 1 {
		t.Errorf("a refused split changed the pointer: %+v", now)
	}
}

// TestSplit_UndoneIfTrafficDoesNotFollow: a start, a step and an end of a split whose traffic does not follow leave it as it was.
func TestSplit_UndoneIfTrafficDoesNotFollow(t *testing.T) {
	s := newStand(t)
	stable, candidate := s.divided(t, anchor.SplitPlan{Weight: 10, Sticky: true, Then: []int{50}, EverySeconds: 1})
	fail := func() {
		calls := 0
		s.platform.Fault = func(_ context.Context, op string, _ anchor.DeploymentID) (bool, error) {
			if op != "Follow" {
				return false, nil
			}
			if calls++; calls > 1 {
				return false, nil // the undo
			}
			return false, errors.New("denied")
		}
	}
	for name, do := range map[string]func() error{
		"a step":    func() error { return s.Advance(t.Context(), s.wantSplit(t, stable, candidate, 10), nil) },
		"an end":    func() error { _, err := s.CancelSplit(t.Context(), s.project); return err },
		"the guard": func() error { return s.Return(t.Context(), s.wantSplit(t, stable, candidate, 10), anchor.Evidence{}) },
		"a new weight": func() error {
			_, err := s.Promote(t.Context(), s.project, candidate.ID, release.Splitting(tenPercent))
			return err
		},
	} {
		fail()
		if err := do(); anchor.CodeOf(err) != "switch_failed" {
			t.Errorf("%s: %v", name, err)
		}
		live := s.wantSplit(t, stable, candidate, 10)
		if len(live.Split.Then) != 1 {
			t.Errorf("%s: %+v", name, live.Split)
		}
	}
	s.platform.Fault = nil
	late := s.record(t, s.project, anchor.Deploying)
	late.Status, late.Split = anchor.Deployed, &tenPercent
	fail()
	_, err := s.GoLive(t.Context(), late)
	wantCode(t, err, anchor.KindFailed, "switch_failed")
	s.wantSplit(t, stable, candidate, 10)
	if d := s.get(t, late.ID); d.Status != anchor.DeployFailed {
		t.Errorf("the deployment is %s", d.Status)
	}
}

func TestSplit_KeepsBoth(t *testing.T) {
	s := newStand(t)
	_, candidate := s.divided(t, tenPercent)
	for range 3 {
		s.record(t, s.project, anchor.Deployed)
	}
	r := release.Retention{Service: s.Service, Shelf: s.store, Remover: s.platform, Keep: 1, Assets: time.Hour}
	_, err := r.Prune(t.Context(), s.project)
	must(t, err)
	if d := s.get(t, candidate.ID); d.PrunedAt != 0 {
		t.Error("the deployment that has a share was pruned")
	}
	_, err = s.CancelSplit(t.Context(), s.project)
	must(t, err)
	s.deployed(t)
	s.deployed(t)
	_, err = r.Prune(t.Context(), s.project)
	must(t, err)
	if d := s.get(t, candidate.ID); d.PrunedAt == 0 || d.AssetsUntil == 0 {
		t.Errorf("the hashed files of a deployment that had a share do not stay for the pages it served: %+v", d)
	}
}

func TestSplit_WithoutIDsIsByVisitor(t *testing.T) {
	s := newStand(t)
	for _, ids := range [][2]string{{"", ""}, {"a", ""}, {"", "a"}, {"a", "a"}, {"a", "b"}} {
		var d [2]anchor.Deployment
		for i, id := range ids {
			d[i] = s.record(t, s.project, anchor.Deployed)
			d[i].SkewID = id
			must(t, s.store.UpdateDeployment(t.Context(), d[i], anchor.Deployed))
		}
		_, err := s.Promote(t.Context(), s.project, d[0].ID)
		must(t, err)
		r, err := s.Promote(t.Context(), s.project, d[1].ID, release.Splitting(anchor.SplitPlan{Weight: 10}))
		must(t, err)
		if want := ids != [2]string{"a", "b"}; r.Live.Split.Sticky != want {
			t.Errorf("between the ids %q the split is by visitor: %v", ids, r.Live.Split.Sticky)
		}
	}
}

// shifting is a Shifter whose time and counters are the test's.
type shifting struct {
	*stand
	release.Shifter
	watch  *release.Watch
	now    time.Time
	counts map[anchor.DeploymentID]guard.Counts
}

func newShifting(s *stand) *shifting {
	h := &shifting{stand: s, now: time.Now(), counts: map[anchor.DeploymentID]guard.Counts{}}
	clock := func() time.Time { return h.now }
	h.Now = clock
	h.watch = &release.Watch{Now: clock, Count: func(id anchor.DeploymentID) guard.Counts { return h.counts[id] }}
	h.Shifter = release.Shifter{Releases: s.Service, Observer: h.watch, Now: clock, Log: slog.New(slog.DiscardHandler)}
	return h
}

// tick lets a time pass in which both deployments answer requests.
func (h *shifting) tick(t *testing.T, d time.Duration, live, candidate anchor.Deployment, requests, failed int64) {
	t.Helper()
	h.now = h.now.Add(d)
	for id, errors := range map[anchor.DeploymentID]int64{live.ID: 0, candidate.ID: failed} {
		c := h.counts[id]
		h.counts[id] = guard.Counts{Requests: c.Requests + requests, Errors: c.Errors + errors}
	}
	var splits []anchor.Live
	if now, err := h.store.Live(t.Context(), h.project); err == nil && now.Split != nil {
		splits = append(splits, now)
	}
	h.watch.Forget(splits)
	h.Tick(t.Context(), splits)
}

func TestShifter_TakesSteps(t *testing.T) {
	s := newStand(t)
	stable, candidate := s.divided(t, anchor.SplitPlan{Weight: 10, Sticky: true, Then: []int{50, 100}, EverySeconds: 60})
	h := newShifting(s)
	h.tick(t, time.Second, stable, candidate, 0, 0)
	h.tick(t, 50*time.Second, stable, candidate, 0, 0)
	s.wantSplit(t, stable, candidate, 10)
	h.tick(t, 10*time.Second, stable, candidate, 5, 1)
	live := s.wantSplit(t, stable, candidate, 50)
	h.tick(t, time.Second, stable, candidate, 0, 0)
	if e, waiting := h.Observed(live); e == nil || e.Candidate.Requests != 5 || e.Candidate.Errors != 1 || waiting != "" {
		t.Errorf("%+v %q", e, waiting)
	}
	h.tick(t, 2*time.Minute, stable, candidate, 0, 0)
	s.wantLive(t, candidate.ID)
	if end := s.ended(t); end.Reason != anchor.SplitCompleted || end.Evidence == nil || end.Evidence.Live.Requests != 5 {
		t.Errorf("%+v", end)
	}
}

func TestShifter_Guards(t *testing.T) {
	s := newStand(t)
	stable, candidate := s.divided(t, anchor.SplitPlan{Weight: 10, Sticky: true, Guard: true, Then: []int{100}, EverySeconds: 60})
	h := newShifting(s)
	h.tick(t, time.Second, stable, candidate, 0, 0)
	h.tick(t, 2*time.Minute, stable, candidate, 4, 0)
	live := s.wantSplit(t, stable, candidate, 10)
	if _, waiting := h.Observed(live); !strings.Contains(waiting, "waits for requests") {
		t.Errorf("it does not say what it waits for: %q", waiting)
	}
	again := newShifting(s) // after a restart
	again.now = h.now
	again.tick(t, time.Second, stable, candidate, 30, 0)
	again.tick(t, time.Second, stable, candidate, 30, 0)
	if _, waiting := again.Observed(live); !strings.Contains(waiting, "restarted") {
		t.Errorf("after a restart it waits for %q", waiting)
	}
	again.tick(t, 10*time.Second, stable, candidate, 40, 20)
	s.wantLive(t, stable.ID)
	end := s.ended(t)
	if end.Reason != anchor.SplitRegressed || end.Evidence.Finding != anchor.WorseErrors || end.Evidence.Candidate.Errors != 20 {
		t.Errorf("%+v %+v", end, end.Evidence)
	}
}

// TestWatch_CountsTheFirstRequests: those that arrive between the release and the first look at the split.
func TestWatch_CountsTheFirstRequests(t *testing.T) {
	s := newStand(t)
	h := newShifting(s)
	s.OnSplit = h.watch.Begin
	stable, candidate := s.divided(t, tenPercent)
	h.watch.Forget(nil) // traffic does not follow yet
	h.tick(t, time.Second, stable, candidate, 40, 10)
	live := s.wantSplit(t, stable, candidate, 10)
	if e, _ := h.Observed(live); e == nil || e.Candidate.Requests != 40 || e.Candidate.Errors != 10 || e.Live.Requests != 40 {
		t.Errorf("%+v", e)
	}
}

// TestShifter_Unguarded: without --guard, nothing but time counts.
func TestShifter_Unguarded(t *testing.T) {
	s := newStand(t)
	stable, candidate := s.divided(t, tenPercent)
	h := newShifting(s)
	for range 5 {
		h.tick(t, time.Minute, stable, candidate, 100, 90)
	}
	s.wantSplit(t, stable, candidate, 10)
}

// TestShifter_WaitsAfterAFailure: a step that fails is not tried each second.
func TestShifter_WaitsAfterAFailure(t *testing.T) {
	s := newStand(t)
	stable, candidate := s.divided(t, anchor.SplitPlan{Weight: 10, Sticky: true, Then: []int{100}, EverySeconds: 1})
	h := newShifting(s)
	tries := 0
	s.store.Fault = func(op string) (bool, error) {
		if op == "Move" {
			tries++
			return false, errLost
		}
		return false, nil
	}
	for range 50 {
		h.tick(t, time.Second, stable, candidate, 1, 0)
	}
	if tries != 1 {
		t.Errorf("%d tries in 50 seconds", tries)
	}
	s.store.Fault = nil
	h.tick(t, time.Minute, stable, candidate, 1, 0)
	s.wantLive(t, candidate.ID)
}

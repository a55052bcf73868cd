package release_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
)

func (s *stand) retention(keep int) release.Retention {
	return release.Retention{Service: s.Service, Shelf: s.store, Remover: s.platform, Keep: keep}
}

// TestRetention_Prune makes six deployments, numbered from 1, and asserts which of them are kept.
func TestRetention_Prune(t *testing.T) {
	cases := []struct {
		name string
		keep int
		do   func(t *testing.T, s *stand, ids []anchor.DeploymentID)
		left []int
	}{
		{"the newest", 3, nil, []int{4, 5, 6}},
		{"all when there are fewer", 10, nil, []int{1, 2, 3, 4, 5, 6}},
		{"the live one and the one before, whatever keep says", 1, nil, []int{5, 6}},
		{"an old one that is live again", 2, func(t *testing.T, s *stand, ids []anchor.DeploymentID) {
			_, err := s.Rollback(t.Context(), s.project, ids[0])
			must(t, err)
		}, []int{1, 5, 6}},
		{"the one before an old one that is live again", 1, func(t *testing.T, s *stand, ids []anchor.DeploymentID) {
			for _, to := range []anchor.DeploymentID{ids[2], ids[0], ids[0]} {
				_, err := s.Rollback(t.Context(), s.project, to)
				must(t, err)
			}
		}, []int{1, 3, 6}},
		{"what is in flight", 1, func(t *testing.T, s *stand, _ []anchor.DeploymentID) {
			s.record(t, s.project, anchor.Deploying)
			s.record(t, s.project, anchor.Built)
		}, []int{5, 6}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			var ids []anchor.DeploymentID
			for range 6 {
				ids = append(ids, s.deployed(t).ID)
			}
			if c.do != nil {
				c.do(t, s, ids)
			}
			removed, err := s.retention(c.keep).Prune(t.Context(), s.project)
			must(t, err)
			for i, id := range ids {
				kept := slices.Contains(c.left, i+1)
				if gone := s.get(t, id).PrunedAt != 0; gone == kept {
					t.Errorf("deployment %d: pruned %v, want %v", i+1, gone, !kept)
				}
				if slices.Contains(removed, id) == kept {
					t.Errorf("deployment %d is reported as removed: %v", i+1, kept)
				}
			}
			again, err := s.retention(c.keep).Prune(t.Context(), s.project)
			if err != nil || len(again) != 0 {
				t.Errorf("pruned again: %v, %v", again, err)
			}
		})
	}
}

func TestRetention_Prune_NeverLive(t *testing.T) {
	s := newStand(t)
	for range 3 {
		s.record(t, s.project, anchor.Deployed)
	}
	removed, err := s.retention(2).Prune(t.Context(), s.project)
	if err != nil || len(removed) != 1 {
		t.Errorf("removed %v, %v", removed, err)
	}
}

func TestRetention_Prune_RemovalFails(t *testing.T) {
	s := newStand(t)
	for range 5 {
		s.deployed(t)
	}
	s.failPlatform("Remove", true, errLost)
	removed, err := s.retention(2).Prune(t.Context(), s.project)
	if err == nil || len(removed) != 0 {
		t.Errorf("removed %v, %v", removed, err)
	}
	tried := 0
	for _, call := range s.platform.Calls() {
		if call.Op == "Remove" {
			tried++
		}
	}
	if tried != 3 {
		t.Errorf("it tried to remove %d, want 3", tried)
	}
}

// TestRetention_Prune_RecordsFail keeps the needed deployments when a call to the records fails.
func TestRetention_Prune_RecordsFail(t *testing.T) {
	for _, op := range []string{"Kept", "Live", "LastLive", "UpdateDeployment"} {
		for _, apply := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s %s", op, name(apply)), func(t *testing.T) {
				s := newStand(t)
				s.deployed(t)
				before, live := s.deployed(t), s.deployed(t)
				s.failOnce(map[string]bool{op: apply})
				if _, err := s.retention(1).Prune(t.Context(), s.project); err == nil {
					t.Error("it returned no error")
				}
				for _, d := range []anchor.Deployment{before, live} {
					if s.get(t, d.ID).PrunedAt != 0 {
						t.Errorf("%s is pruned", d.ID)
					}
				}
			})
		}
	}
}

// TestRetention_Prune_RacesRollback: a rollback is refused or its target stays.
func TestRetention_Prune_RacesRollback(t *testing.T) {
	for range 50 {
		s := newStand(t)
		target := s.deployed(t)
		s.deployed(t)
		live := s.deployed(t)
		var both sync.WaitGroup
		var refused error
		both.Go(func() { _, refused = s.Rollback(t.Context(), s.project, target.ID) })
		both.Go(func() {
			if _, err := s.retention(1).Prune(t.Context(), s.project); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		gone := s.get(t, target.ID).PrunedAt != 0
		if gone != (refused != nil) {
			t.Fatalf("pruned %v, the rollback's error %v", gone, refused)
		}
		if gone {
			wantCode(t, refused, anchor.KindConflict, "pruned")
			s.wantLive(t, live.ID)
			continue
		}
		s.wantLive(t, target.ID)
	}
}

// prune applies a rule with the clock moved by ahead.
func (s *stand) prune(t *testing.T, r release.Retention, ahead time.Duration) {
	t.Helper()
	r.Now = func() time.Time { return time.Now().Add(ahead) }
	_, err := r.Prune(t.Context(), s.project)
	must(t, err)
}

func TestRetention_Prune_CountsPreviewsSeparately(t *testing.T) {
	s := newStand(t)
	target := s.deployed(t)
	live := s.deployed(t)
	var previews []anchor.Deployment
	for range 5 {
		d := s.record(t, s.project, anchor.Deployed)
		previews = append(previews, d)
	}
	_, err := s.Promote(t.Context(), s.project, previews[0].ID) // it counts as production from now on
	must(t, err)
	_, err = s.Promote(t.Context(), s.project, live.ID)
	must(t, err)
	r := s.retention(3)
	r.Previews.Keep = 2
	s.prune(t, r, 0)
	for i, d := range append([]anchor.Deployment{target, live}, previews...) {
		want := i == 3 || i == 4 // the oldest two that never were live
		if gone := s.get(t, d.ID).PrunedAt != 0; gone != want {
			t.Errorf("deployment %d: pruned %v, want %v", i, gone, want)
		}
	}
}

// TestRetention_Prune_OldPreviews removes previews by their age, by the server's or the project's rule, and
// never what was live.
func TestRetention_Prune_OldPreviews(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name            string
		server, project anchor.PreviewRetention
		ahead           time.Duration
		gone            bool
	}{
		{"any age", anchor.PreviewRetention{}, anchor.PreviewRetention{}, 4000 * day, false},
		{"young", anchor.PreviewRetention{Days: 30}, anchor.PreviewRetention{}, 29 * day, false},
		{"old", anchor.PreviewRetention{Days: 30}, anchor.PreviewRetention{}, 31 * day, true},
		{"old for the project", anchor.PreviewRetention{Days: 30}, anchor.PreviewRetention{Days: 2}, 3 * day, true},
		{"young for the project", anchor.PreviewRetention{Days: 2}, anchor.PreviewRetention{Days: 30}, 3 * day, false},
		{"too many for the project", anchor.PreviewRetention{}, anchor.PreviewRetention{Keep: 1}, 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			first := s.deployed(t)
			live := s.deployed(t)
			preview := s.record(t, s.project, anchor.Deployed)
			s.record(t, s.project, anchor.Deployed)
			must(t, s.store.SetPreviewRetention(t.Context(), s.project, c.project))
			r := s.retention(10)
			r.Previews = c.server
			s.prune(t, r, c.ahead)
			if gone := s.get(t, preview.ID).PrunedAt != 0; gone != c.gone {
				t.Errorf("the preview is pruned: %v, want %v", gone, c.gone)
			}
			if s.get(t, first.ID).PrunedAt != 0 || s.get(t, live.ID).PrunedAt != 0 {
				t.Error("what was live is pruned")
			}
		})
	}
}

// TestRetention_Prune_KeepsHashedFiles counts from when production left it, not
// from when it was made.
func TestRetention_Prune_KeepsHashedFiles(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for _, c := range []struct {
		name   string
		ahead  time.Duration
		assets time.Duration
		keeps  bool
	}{
		{"pruned at once", time.Minute, week, true},
		{"pruned within the time", week - time.Hour, week, true},
		{"pruned after it", week + time.Hour, week, false},
		{"none are to stay", time.Minute, -1, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newStand(t)
			old := s.deployed(t)
			s.deployed(t)
			preview := s.record(t, s.project, anchor.Deployed)
			s.record(t, s.project, anchor.Deployed)
			s.deployed(t)
			r := s.retention(1)
			r.Assets = c.assets
			s.prune(t, r, c.ahead)
			at := time.Now().Add(c.ahead)
			if got := s.get(t, old.ID); got.PrunedAt == 0 || got.KeepsAssets(at) != c.keeps {
				t.Errorf("what was live: pruned at %d, keeps its hashed files %v, want %v", got.PrunedAt, got.KeepsAssets(at), c.keeps)
			}
			if got := s.get(t, preview.ID); got.PrunedAt == 0 || got.KeepsAssets(at) {
				t.Errorf("a preview: pruned at %d, keeps its hashed files %v", got.PrunedAt, got.KeepsAssets(at))
			}
		})
	}
}

func TestRetention_Prune_SupersededCountsAsPreview(t *testing.T) {
	s := newStand(t)
	late := s.record(t, s.project, anchor.Deploying)
	s.deployed(t)
	late.Status = anchor.Superseded
	must(t, s.store.UpdateDeployment(t.Context(), late, anchor.Deploying))
	s.record(t, s.project, anchor.Deployed)
	s.prune(t, s.retention(1), 0)
	if got := s.get(t, late.ID); got.PrunedAt == 0 || got.Status != anchor.Superseded {
		t.Errorf("superseded: %s, pruned at %d", got.Status, got.PrunedAt)
	}
	_, err := s.Promote(t.Context(), s.project, late.ID)
	wantCode(t, err, anchor.KindConflict, "pruned")
}

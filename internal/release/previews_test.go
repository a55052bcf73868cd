package release_test

import (
	"slices"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// TestPrunePreviews removes what was deployed of a branch and was never live, and nothing else.
func TestPrunePreviews(t *testing.T) {
	s := newStand(t)
	preview := func(branch string) anchor.DeploymentID {
		return s.publish(t, anchor.Deployment{
			ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project, Status: anchor.Deployed, Version: "v-" + branch, Branch: branch,
			NoRelease: true, Functions: map[string]anchor.FunctionVersion{"default": {Version: "1"}},
		}).ID
	}
	first := s.deployed(t).ID
	one, other, promoted := preview("x"), preview("y"), preview("x")
	_, err := s.Promote(t.Context(), s.project, promoted)
	must(t, err)
	_, err = s.Rollback(t.Context(), s.project, first)
	must(t, err)
	two := preview("x")
	removed, err := s.retention(10).PrunePreviews(t.Context(), s.project, "x")
	must(t, err)
	slices.Sort(removed)
	if want := []anchor.DeploymentID{one, two}; !slices.Equal(removed, want) {
		t.Errorf("removed are %v, want %v", removed, want)
	}
	for id, gone := range map[anchor.DeploymentID]bool{first: false, one: true, other: false, promoted: false, two: true} {
		if pruned := s.get(t, id).PrunedAt != 0; pruned != gone {
			t.Errorf("deployment %s of %s: pruned %t", id, s.get(t, id).Branch, pruned)
		}
	}
	s.wantLive(t, first)
	removed, err = s.retention(10).PrunePreviews(t.Context(), s.project, "x")
	if len(removed) != 0 || err != nil {
		t.Errorf("the second time %v are removed, %v", removed, err)
	}
	fork := s.publish(t, anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project, Status: anchor.Deployed, Version: "v-fork", Branch: "pull/1",
		NoRelease: true, Fork: true,
	})
	if _, err := s.Promote(t.Context(), s.project, fork.ID); anchor.CodeOf(err) != "fork" {
		t.Errorf("promoting the deployment of a fork: %v", err)
	}
}

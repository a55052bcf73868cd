package deploy_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// preview deploys a preview of a branch.
func (s *stand) preview(t *testing.T, branch string) anchor.DeploymentID {
	t.Helper()
	return s.deployed(t, s.project, func(r *deploy.Request) { r.Branch, r.NoRelease = branch, true })
}

func (s *stand) isPruned(t *testing.T, id anchor.DeploymentID) bool {
	t.Helper()
	d, err := s.store.Deployment(t.Context(), id)
	must(t, err)
	return d.PrunedAt != 0
}

// TestService_PruneByAge removes what is too old without another deployment, of the projects that limit
// the age.
func TestService_PruneByAge(t *testing.T) {
	s := newStand(t)
	var later atomic.Int64 // a pass that has ended still prunes
	s.Retention.Now = func() time.Time { return time.Now().Add(time.Duration(later.Load())) }
	old := s.preview(t, "feature/x")
	other := s.newProject(t, "other")
	must(t, s.store.SetPreviewRetention(t.Context(), other, anchor.PreviewRetention{Days: 1}))
	later.Store(int64(25 * time.Hour))
	must(t, s.PruneByAge(t.Context()))
	if s.isPruned(t, old) {
		t.Error("a preview of a project without a limit is pruned")
	}
	must(t, s.store.SetPreviewRetention(t.Context(), s.project, anchor.PreviewRetention{Days: 1}))
	must(t, s.PruneByAge(t.Context()))
	if !s.isPruned(t, old) {
		t.Error("a preview that is too old stays")
	}
}

// TestService_RemoveBranch removes the previews of a branch and its variables, and nothing of others.
func TestService_RemoveBranch(t *testing.T) {
	s := newStand(t)
	gone, kept := s.preview(t, "feature/x"), s.preview(t, "feature/y")
	for _, v := range []anchor.EnvVar{
		{Name: "A", Environment: anchor.EnvPreview, Branch: "feature/x"}, {Name: "B", Environment: anchor.EnvPreview, Branch: "feature/x"},
		{Name: "A", Environment: anchor.EnvPreview, Branch: "feature/y"}, {Name: "A"},
	} {
		v.For = anchor.EnvRun
		must(t, s.store.PutEnv(t.Context(), s.project, []anchor.EnvVar{v}))
	}
	removed, err := s.RemoveBranch(t.Context(), s.project, "feature/x")
	if err != nil || removed != (deploy.RemovedBranch{Previews: 1, Variables: 2}) {
		t.Fatalf("removed: %v, %v", removed, err)
	}
	if !s.isPruned(t, gone) || s.isPruned(t, kept) {
		t.Error("the previews of the branch stay, or those of another one are removed")
	}
	if left, err := s.store.EnvRows(t.Context(), s.project); err != nil || len(left) != 2 {
		t.Errorf("the variables left are %+v, %v", left, err)
	}
	removed, err = s.RemoveBranch(t.Context(), s.project, "feature/x")
	if err != nil || removed != (deploy.RemovedBranch{}) {
		t.Errorf("the second time: %v, %v", removed, err)
	}
}

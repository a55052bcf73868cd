package deploy

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// IsPreview reports whether a deployment runs with the variables of previews.
func IsPreview(p anchor.Project, d anchor.Deployment) bool {
	return p.ScopeOf(d.Branch, d.NoRelease).Environment == anchor.EnvPreview
}

// PromotePreview deploys the files of a preview once more, with the run-time variables of production,
// and makes that deployment live, or a part of a split, when it has passed its steps. It returns the new deployment, which
// has been started. It returns NotFound for an unknown preview, and a Conflict for one that cannot
// serve, whose files were removed, or that was built from a fork.
func (s *Service) PromotePreview(ctx context.Context, p anchor.ProjectID, preview anchor.Deployment, forceReload bool, split *anchor.SplitPlan) (anchor.Deployment, error) {
	started, err := s.Start(ctx, p, Request{
		FilesOf: preview.ID, CommitSha: preview.CommitSha, CommitMessage: preview.CommitMessage, Branch: preview.Branch, PullRequest: preview.PullRequest, ForceReload: forceReload, Split: split,
	})
	if err != nil {
		return anchor.Deployment{}, err
	}
	return s.Finish(ctx, p, started.Deployment.ID)
}

// redeployable returns an error for a deployment whose files cannot be deployed once more.
func redeployable(d anchor.Deployment) error {
	if d.Fork {
		return anchor.Conflict("fork", "deployment %s was built from a fork, and its files cannot be deployed with the project's variables", d.ID).
			Hintf("Merge the pull request; the merged commit is built and goes live.")
	}
	return nil
}

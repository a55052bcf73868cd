package release

import (
	"context"
	"errors"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// PrunePreviews removes the previews of a branch: what was deployed of it and was never live. It
// returns the ids it removed. As with Prune, a failed removal does not stop the others.
func (r Retention) PrunePreviews(ctx context.Context, p anchor.ProjectID, branch string) ([]anchor.DeploymentID, error) {
	old, err := r.markPreviews(ctx, p, branch)
	var removed []anchor.DeploymentID
	for _, d := range old {
		if failed := r.Remover.Remove(ctx, d); failed != nil {
			err = errors.Join(err, fmt.Errorf("remove deployment %s: %w", d.ID, failed))
			continue
		}
		removed = append(removed, d.ID)
	}
	return removed, err
}

// markPreviews is markPruned for the previews of one branch.
func (r Retention) markPreviews(ctx context.Context, p anchor.ProjectID, branch string) ([]anchor.Deployment, error) {
	defer r.Service.projects.Lock(p)()
	kept, err := r.Shelf.Kept(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("list the kept deployments of project %s: %w", p, err)
	}
	needed, err := r.listNeeded(ctx, p, kept)
	if err != nil {
		return nil, err
	}
	lives, err := r.lastLiveTimes(ctx, p, kept)
	if err != nil {
		return nil, err
	}
	var marked []anchor.Deployment
	for _, d := range kept {
		if _, wasLive := lives[d.ID]; wasLive || needed[d.ID] || d.Branch != branch || !d.NoRelease {
			continue
		}
		d.PrunedAt = r.now().UnixMilli()
		if err := r.Shelf.UpdateDeployment(ctx, d, d.Status); err != nil {
			return marked, fmt.Errorf("mark deployment %s as pruned: %w", d.ID, err)
		}
		marked = append(marked, d)
	}
	return marked, nil
}

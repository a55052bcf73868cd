package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Remover takes away what a deployment has on the platform: files, functions,
// cache. It waits for the requests in flight, and it is idempotent. The end of ctx
// ends the waiting, not the removal.
type Remover interface {
	Remove(ctx context.Context, d anchor.Deployment) error
}

// Shelf is what retention reads and marks.
type Shelf interface {
	// Kept gives the project's deployed ones that are not pruned, newest first;
	// records of rollbacks are not among them.
	Kept(ctx context.Context, p anchor.ProjectID) ([]anchor.Deployment, error)
	// UpdateDeployment is deploy.Records.UpdateDeployment.
	UpdateDeployment(ctx context.Context, d anchor.Deployment, from anchor.Status) error
}

// Retention removes old deployments: all but the newest Keep of a project, the
// live one and the one live before it.
type Retention struct {
	Service *Service
	Shelf   Shelf
	Remover Remover
	Keep    int
}

// Prune applies the rule to one project and gives the ids it removed. A removal
// that fails does not keep the others; its files and those that a crash between mark
// and removal leaves are for the next sweep.
func (r Retention) Prune(ctx context.Context, p anchor.ProjectID) ([]anchor.DeploymentID, error) {
	old, err := r.mark(ctx, p)
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

// mark decides under the project's lock, so that no rollback goes to a
// deployment that is about to be removed.
func (r Retention) mark(ctx context.Context, p anchor.ProjectID) ([]anchor.Deployment, error) {
	defer r.Service.projects.Lock(p)()
	kept, err := r.Shelf.Kept(ctx, p)
	if err != nil {
		return nil, fmt.Errorf("list the kept deployments of project %s: %w", p, err)
	}
	needed, err := r.needed(ctx, p)
	if err != nil {
		return nil, err
	}
	var marked []anchor.Deployment
	for i, d := range kept {
		if i < r.Keep || needed[d.ID] {
			continue
		}
		d.PrunedAt = time.Now().UnixMilli()
		if err := r.Shelf.UpdateDeployment(ctx, d, anchor.Deployed); err != nil {
			return marked, fmt.Errorf("mark deployment %s as pruned: %w", d.ID, err)
		}
		marked = append(marked, d)
	}
	return marked, nil
}

func (r Retention) needed(ctx context.Context, p anchor.ProjectID) (map[anchor.DeploymentID]bool, error) {
	live, err := r.Service.current(ctx, p)
	if err != nil {
		return nil, err
	}
	needed := map[anchor.DeploymentID]bool{live.Deployment: true}
	if before, err := r.Service.before(ctx, p); err == nil {
		needed[before] = true
	} else if anchor.KindOf(err) != anchor.KindConflict {
		return nil, err
	}
	return needed, nil
}

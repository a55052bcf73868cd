package release

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Remover removes what a deployment has on the platform: files, functions, cache. A deployment
// that KeepsAssets keeps its hashed files, and has to be removed again once that is over.
// Remover waits for the requests in flight, and it is idempotent. The end of ctx ends the
// waiting, not the removal.
type Remover interface {
	Remove(ctx context.Context, d anchor.Deployment) error
}

// Shelf is what retention reads and marks.
type Shelf interface {
	// Kept returns the project's deployed deployments that are not pruned, newest first,
	// without records of rollbacks.
	Kept(ctx context.Context, p anchor.ProjectID) ([]anchor.Deployment, error)
	// UpdateDeployment is deploy.Records.UpdateDeployment.
	UpdateDeployment(ctx context.Context, d anchor.Deployment, from anchor.Status) error
	// Project returns one project or ErrNotFound.
	Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error)
}

// Retention removes old deployments. Those that were ever live and the others, the previews,
// are counted separately. The newest of each stay, previews up to an age, and always the live
// one, the one live before it and those that open tabs may use.
type Retention struct {
	Service *Service
	Shelf   Shelf
	Remover Remover
	Keep    int // deployments that were live
	// Previews is what is kept of the others where the project does not say; Keep of them when it has no
	// number.
	Previews anchor.PreviewRetention
	Assets   time.Duration // how long the hashed files of one that was live stay once it is not
	Tabs     time.Duration // how long open tabs may use one that was live once it is not; see TabsUntil
	Now      func() time.Time
}

// Prune applies the rule to one project and returns the ids it removed. A failed removal does
// not stop the others. The next sweep removes its files, and those that a crash between mark
// and removal leaves.
func (r Retention) Prune(ctx context.Context, p anchor.ProjectID) ([]anchor.DeploymentID, error) {
	previews, err := r.previewsOf(ctx, p)
	if err != nil {
		return nil, err
	}
	left, now := map[bool]int{true: r.Keep, false: previews.Keep}, r.now()
	return r.remove(ctx, p, func(d anchor.Deployment, wasLive bool) bool {
		left[wasLive]--
		return left[wasLive] < 0 || !wasLive && previews.IsTooOld(now.Sub(time.UnixMilli(d.CreatedAt)))
	})
}

// previewsOf returns which previews of a project are kept.
func (r Retention) previewsOf(ctx context.Context, p anchor.ProjectID) (anchor.PreviewRetention, error) {
	project, err := r.Shelf.Project(ctx, p)
	if err != nil {
		return anchor.PreviewRetention{}, fmt.Errorf("read how long previews are kept: %w", err)
	}
	kept := project.Previews.Over(r.Previews)
	kept.Keep = cmp.Or(kept.Keep, r.Keep)
	return kept, nil
}

// HasAge reports whether previews of the project are removed by their age, too: not only a deployment
// makes it necessary to prune it.
func (r Retention) HasAge(p anchor.Project) bool { return p.Previews.Over(r.Previews).Days > 0 }

// PrunePreviews removes the previews of a branch: what was deployed of it and was never live. It
// returns the ids it removed. As with Prune, a failed removal does not stop the others.
func (r Retention) PrunePreviews(ctx context.Context, p anchor.ProjectID, branch string) ([]anchor.DeploymentID, error) {
	return r.remove(ctx, p, func(d anchor.Deployment, wasLive bool) bool {
		return !wasLive && d.NoRelease && d.Branch == branch
	})
}

// remove removes the deployments that isOld selects, but for those that are needed. isOld is called
// once for each kept deployment, newest first.
func (r Retention) remove(ctx context.Context, p anchor.ProjectID, isOld func(d anchor.Deployment, wasLive bool) bool) ([]anchor.DeploymentID, error) {
	old, err := r.markPruned(ctx, p, isOld)
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

// markPruned decides under the project's lock, so that no rollback targets a deployment that is about
// to be removed.
func (r Retention) markPruned(ctx context.Context, p anchor.ProjectID, isOld func(d anchor.Deployment, wasLive bool) bool) ([]anchor.Deployment, error) {
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
	now := r.now()
	var marked []anchor.Deployment
	for _, d := range kept {
		until, wasLive := lives[d.ID]
		if !isOld(d, wasLive) || needed[d.ID] {
			continue
		}
		d.PrunedAt = now.UnixMilli()
		if until := until.Add(r.Assets); wasLive && until.After(now) {
			d.AssetsUntil = until.UnixMilli()
		}
		if err := r.Shelf.UpdateDeployment(ctx, d, d.Status); err != nil {
			return marked, fmt.Errorf("mark deployment %s as pruned: %w", d.ID, err)
		}
		marked = append(marked, d)
	}
	return marked, nil
}

func (r Retention) now() time.Time {
	if r.Now == nil {
		return time.Now()
	}
	return r.Now()
}

// lastLiveTimes returns which of the kept deployments were live and until when; for the live one,
// that is now. It reads the releases back to the oldest kept deployment.
func (r Retention) lastLiveTimes(ctx context.Context, p anchor.ProjectID, kept []anchor.Deployment) (map[anchor.DeploymentID]time.Time, error) {
	lives := map[anchor.DeploymentID]time.Time{}
	if len(kept) == 0 {
		return lives, nil
	}
	oldest, end := kept[len(kept)-1].Order, r.now()
	for page := (anchor.Page{Limit: anchor.MaxPage}); ; {
		list, err := r.Service.Records.Releases(ctx, p, page)
		if err != nil {
			return nil, fmt.Errorf("list the releases of project %s: %w", p, err)
		}
		for _, release := range list.Items {
			if release.Order < oldest {
				return lives, nil
			}
			if _, known := lives[release.Deployment]; !known {
				lives[release.Deployment] = end
			}
			if split := release.Split; split != nil {
				if _, known := lives[split.Deployment]; !known {
					lives[split.Deployment] = end // it had a share of the traffic until then
				}
			}
			end = time.UnixMilli(release.CreatedAt)
		}
		if list.Next == "" {
			return lives, nil
		}
		page.Cursor = list.Next
	}
}

func (r Retention) listNeeded(ctx context.Context, p anchor.ProjectID, kept []anchor.Deployment) (map[anchor.DeploymentID]bool, error) {
	live, err := r.Service.readPointer(ctx, p)
	if err != nil {
		return nil, err
	}
	needed := map[anchor.DeploymentID]bool{live.Deployment: true}
	if live.Split != nil {
		needed[live.Split.Deployment] = true
	}
	if previous, err := r.Service.previousLive(ctx, p); err == nil {
		needed[previous] = true
	} else if anchor.KindOf(err) != anchor.KindConflict {
		return nil, err
	}
	until, err := TabsUntil(ctx, r.Service.Records, p, r.Tabs, r.now())
	if err != nil {
		return nil, err
	}
	for _, id := range tabTargets(kept, live.Deployment, until) {
		needed[id] = true
	}
	return needed, nil
}

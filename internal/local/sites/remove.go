package sites

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Remove removes a deployment: its host first, then, when its requests have ended or the drain
// limit is over, its functions, cache and files. A failed deployment had no visitors: the work of
// its functions is cut off, or a handler that never settles would delay the project's next
// deployment for the drain limit. If the deployment keeps its hashed files, they stay.
func (p *Platform) Remove(ctx context.Context, d anchor.Deployment) error {
	p.prestarts.drop(d.ID)
	s := p.remove(d)
	defer p.dropPages(d.ID)
	switch {
	case s == nil:
	case neverDeployed(d):
		s.close()
	default:
		limit, cancel := context.WithTimeout(ctx, p.Drain)
		defer cancel()
		if err := s.drainSite(limit); err != nil && limit.Err() == nil {
			return fmt.Errorf("drain deployment %s: %w", d.ID, err)
		}
	}
	ctx = context.WithoutCancel(ctx) // its functions are stopped; the rest is quick
	if err := p.dropCompiled(d.ID); err != nil {
		slog.Warn("remove the compiled code of a deployment; the next sweep tries again", "deploymentId", d.ID, "error", err)
	}
	p.wire.keys.Revoke(string(d.ID))
	p.previews.Drop(string(d.ID))
	if err := p.Cache.Drop(ctx, string(d.ID)); err != nil {
		return err
	}
	if d.KeepsAssets(time.Now()) {
		return p.keepHashed(ctx, d)
	}
	if neverDeployed(d) {
		if err := errors.Join(p.Bundles.Disown(ctx, d.ID), p.Bundles.Reclaim(ctx, d.ID)); err != nil {
			return err
		}
	}
	if err := p.Bundles.Remove(ctx, d.ID); err != nil {
		return err
	}
	return p.dataFolder().Remove(d.ID)
}

// neverDeployed reports whether a deployment ended without ever being deployed.
func neverDeployed(d anchor.Deployment) bool {
	return d.Status.Ended() && d.Status != anchor.Deployed && d.PrunedAt == 0
}

// RemoveProject removes everything of a project, whose deployments it finds in the records and
// among its sites. It is idempotent, and a call after a crash removes the rest.
func (p *Platform) RemoveProject(ctx context.Context, project anchor.ProjectID) error {
	all := map[anchor.DeploymentID]anchor.Deployment{}
	for _, id := range p.removeProject(project) {
		all[id] = anchor.Deployment{ID: id, ProjectID: project}
	}
	for page := (anchor.Page{Limit: anchor.MaxPage}); ; {
		list, err := p.Records.Deployments(ctx, project, page)
		if err != nil {
			return fmt.Errorf("list the deployments of project %s: %w", project, err)
		}
		for _, d := range list.Items {
			all[d.ID] = d
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	var errs []error
	for _, d := range all {
		d.PrunedAt, d.AssetsUntil = 0, 0 // the hashed files go too
		errs = append(errs, p.Remove(ctx, d))
	}
	p.shared.Delete(project)
	if p.Groups != nil {
		errs = append(errs, p.Groups.Remove(string(project)))
	}
	return errors.Join(append(errs, p.pointers.drop(project), p.Logs.Remove(project))...)
}

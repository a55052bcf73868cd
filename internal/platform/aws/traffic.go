package aws

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Ready implements release.Traffic: the versions are there, and what Route needs to
// know of aliases and store is read beforehand, all at once.
func (p *Platform) Ready(ctx context.Context, d anchor.Deployment) error {
	project, err := p.project(ctx, d.ProjectID)
	if err != nil {
		return err
	}
	if d.IsRollback {
		if d, err = p.serving(ctx, d.RollbackTo); err != nil {
			return err
		}
	}
	both, bound := errgroup.WithContext(ctx)
	both.Go(func() error { return p.functions.Ready(bound, project, d) })
	both.Go(func() error { return p.front.Ready(bound, project) })
	if err := both.Wait(); err != nil {
		return fmt.Errorf("make deployment %s ready: %w", d.ID, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready[d.ProjectID] = d
	return nil
}

// Route implements release.Traffic.
func (p *Platform) Route(ctx context.Context, live anchor.Live) error {
	project, err := p.project(ctx, live.ProjectID)
	if err != nil {
		return err
	}
	d, err := p.target(ctx, live)
	if err != nil {
		return err
	}
	// The distribution's switch and the server function's are one moment: neither order
	// would keep a request between them from meeting both deployments, and a rollback
	// has no call to spare.
	err = p.functions.Route(ctx, project, d, live, func(ctx context.Context) error {
		return p.front.Switch(ctx, project, live)
	})
	if err != nil {
		return fmt.Errorf("route %s to deployment %s: %w", project.Slug, d.ID, err)
	}
	return nil
}

// target is the record of the deployment that live names, from Ready's memory if it
// was asked for that one.
func (p *Platform) target(ctx context.Context, live anchor.Live) (anchor.Deployment, error) {
	p.mu.Lock()
	d := p.ready[live.ProjectID]
	delete(p.ready, live.ProjectID)
	p.mu.Unlock()
	if d.ID == live.Deployment {
		return d, nil
	}
	return p.serving(ctx, live.Deployment)
}

// Purge implements deploy.Assets.
func (p *Platform) Purge(ctx context.Context, live anchor.Live) error {
	project, err := p.project(ctx, live.ProjectID)
	if err != nil {
		return err
	}
	both, bound := errgroup.WithContext(ctx)
	both.Go(func() error { return p.front.Purge(bound, project, live) })
	both.Go(func() error { return p.domains.Purge(bound, project, live) })
	return both.Wait()
}

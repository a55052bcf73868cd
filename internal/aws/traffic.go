package aws

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/front"
)

// readied is what Ready learned, for the Route that follows it.
type readied struct {
	deployment anchor.Deployment // the one that serves
	ahead      front.Ahead
}

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
	var ahead front.Ahead
	both.Go(func() (err error) { ahead, err = p.front.Ready(bound, project); return err })
	if err := both.Wait(); err != nil {
		return fmt.Errorf("make deployment %s ready: %w", d.ID, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.ready[d.ProjectID] = readied{d, ahead}
	return nil
}

// Route implements release.Traffic.
func (p *Platform) Route(ctx context.Context, live anchor.Live) error {
	return p.route(ctx, live, p.takeReady(live))
}

// takeReady gives what Ready learned if it was asked for the deployment that live names,
// once. A release's Ready ends before it moves the pointer, and release.Traffic allows
// one release of a project at a time; others, as the reconciler, have no part in it.
func (p *Platform) takeReady(live anchor.Live) readied {
	p.mu.Lock()
	defer p.mu.Unlock()
	r := p.ready[live.ProjectID]
	delete(p.ready, live.ProjectID)
	if r.deployment.ID != live.Deployment {
		return readied{}
	}
	return r
}

// route follows live with what a Ready before its move learned, or with nothing.
func (p *Platform) route(ctx context.Context, live anchor.Live, ready readied) error {
	project, err := p.project(ctx, live.ProjectID)
	if err != nil {
		return err
	}
	d := ready.deployment
	if d.ID == "" {
		if d, err = p.serving(ctx, live.Deployment); err != nil {
			return err
		}
	}
	// The distribution's switch and the server function's are one moment: neither order
	// would keep a request between them from meeting both deployments, and a rollback
	// has no call to spare.
	err = p.functions.Route(ctx, project, d, live, func(ctx context.Context) error {
		return p.front.Switch(ctx, project, live, ready.ahead)
	})
	if err != nil {
		return fmt.Errorf("route %s to deployment %s: %w", project.Slug, d.ID, err)
	}
	return nil
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

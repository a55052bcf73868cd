package aws

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/front"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/release"
)

// trafficSwitch is a prepared change of a project's aliases and of its distribution.
type trafficSwitch struct {
	project    anchor.Project
	deployment anchor.Deployment // the one that serves
	functions  function.Switch
	front      front.Switch
}

// Prepare implements release.Traffic. It checks that the versions exist, and reads aliases and
// store at the same time. A process that does not know the project yet reads its note while the
// target is read.
func (p *Platform) Prepare(
	ctx context.Context, id anchor.ProjectID, target func(context.Context) (anchor.Deployment, error),
) (release.Switch, error) {
	both, bound := errgroup.WithContext(ctx)
	both.Go(func() error {
		p.readNote(bound, id)
		return nil
	})
	var d anchor.Deployment
	both.Go(func() (err error) { d, err = target(bound); return err })
	if err := both.Wait(); err != nil {
		return nil, err
	}
	project, err := p.project(ctx, id)
	if err != nil {
		return nil, err
	}
	if d.IsRollback {
		if d, err = p.serving(ctx, d.RollbackTo); err != nil {
			return nil, err
		}
	}
	return p.prepare(ctx, project, d)
}

func (p *Platform) prepare(ctx context.Context, project anchor.Project, d anchor.Deployment) (release.Switch, error) {
	s := trafficSwitch{project: project, deployment: d}
	both, bound := errgroup.WithContext(ctx)
	both.Go(func() (err error) { s.functions, err = p.functions.Prepare(bound, project, d); return err })
	both.Go(func() (err error) { s.front, err = p.front.Prepare(bound, project); return err })
	if err := both.Wait(); err != nil {
		return nil, fmt.Errorf("prepare the switch to deployment %s: %w", d.ID, err)
	}
	return s, nil
}

// Commit implements release.Switch. It switches the distribution and the server function at the
// same moment: in either order, a request between the two could meet both deployments, and a
// rollback has no call to spare.
func (s trafficSwitch) Commit(ctx context.Context, live anchor.Live) error {
	err := s.functions.Commit(ctx, live, func(ctx context.Context) error { return s.front.Commit(ctx, live) })
	return notRouted(err, s.project, s.deployment)
}

// Follow implements release.Traffic.
func (p *Platform) Follow(ctx context.Context, live anchor.Live) error {
	project, err := p.project(ctx, live.ProjectID)
	if err != nil {
		return err
	}
	d, err := p.serving(ctx, live.Deployment)
	if err != nil {
		return err
	}
	err = p.functions.Follow(ctx, project, d, live, func(ctx context.Context) error { return p.front.Follow(ctx, project, live) })
	return notRouted(err, project, d)
}

func notRouted(err error, project anchor.Project, d anchor.Deployment) error {
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
	both.Go(func() error { return p.noteTabs(bound, live) })
	return both.Wait()
}

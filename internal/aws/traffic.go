package aws

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/front"
	"github.com/anchor-deploy/anchor/internal/aws/function"
	"github.com/anchor-deploy/anchor/internal/release"
)

// trafficSwitch is a prepared change of a project's aliases and of its distribution.
type trafficSwitch struct {
	platform   *Platform
	project    anchor.Project
	deployment anchor.Deployment // the one that serves
	functions  function.Switch
	front      front.Switch
}

// Prepare implements release.Traffic. It checks that the versions exist, and reads the aliases and, unless
// its ETag is noted, the store at the same time.
func (p *Platform) Prepare(
	ctx context.Context, id anchor.ProjectID, target func(context.Context) (anchor.Deployment, error),
) (release.Switch, error) {
	d, err := target(ctx)
	if err != nil {
		return nil, err
	}
	noted := p.readNote(ctx, id)
	project, err := p.project(ctx, id)
	if err != nil {
		return nil, err
	}
	if d.IsRollback {
		if d, err = p.serving(ctx, d.RollbackTo); err != nil {
			return nil, err
		}
	}
	return p.prepare(ctx, project, d, noted)
}

func (p *Platform) prepare(ctx context.Context, project anchor.Project, d anchor.Deployment, noted note) (release.Switch, error) {
	s := trafficSwitch{platform: p, project: project, deployment: d}
	both, bound := errgroup.WithContext(ctx)
	both.Go(func() (err error) { s.functions, err = p.functions.Prepare(bound, project, d); return err })
	both.Go(func() (err error) {
		var known bool
		if s.front, known = p.front.PrepareNoted(project, noted.Store, noted.ETag); !known {
			s.front, err = p.front.Prepare(bound, project)
		}
		return err
	})
	if err := both.Wait(); err != nil {
		return nil, fmt.Errorf("prepare the switch to deployment %s: %w", d.ID, err)
	}
	return s, nil
}

// Commit implements release.Switch. It switches the distribution and the server function at the
// same moment: in either order, a request between the two could meet both deployments, and a
// rollback has no call to spare.
func (s trafficSwitch) Commit(ctx context.Context, live anchor.Live) error {
	err := s.functions.Commit(ctx, live,
		func(ctx context.Context) error { return s.front.Commit(ctx, live) },
		func(ctx context.Context) error { s.platform.announce(ctx, live); return nil })
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
	if live.Split != nil {
		if _, err := p.serving(ctx, live.Split.Deployment); err != nil {
			return err
		}
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
	both.Go(func() error { return p.followCrons(bound, live) })
	both.Go(func() error { return p.watchCandidate(bound, live) })
	err = both.Wait()
	p.noteETag(ctx, live.ProjectID)
	return err
}

// announce sends the event of a switch, on which another process does what follows one, see Settle. It
// goes out with the last calls of the switch, so that no call comes after them. Whatever is not announced,
// AfterSwitch announces, and else the reconciler's next round finds it.
func (p *Platform) announce(ctx context.Context, live anchor.Live) {
	if p.Switched == nil {
		return
	}
	if err := p.Switched(ctx, live.ProjectID); err != nil {
		p.Log.WarnContext(ctx, "announce a switch", "projectId", live.ProjectID, "error", err)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.announced[live.ProjectID] = live.Revision
}

// AfterSwitch makes another process do what follows a promote or a rollback, unless the switch has done so. Where
// there is no other process it is Purge.
func (p *Platform) AfterSwitch(ctx context.Context, live anchor.Live) error {
	if p.Switched == nil {
		return p.Purge(ctx, live)
	}
	p.mu.Lock()
	done := p.announced[live.ProjectID] >= live.Revision
	p.mu.Unlock()
	if !done {
		p.announce(ctx, live)
	}
	return nil
}

// Settle does what follows the switch of a project, also one that is still being made, or whose process
// has ended: traffic follows the pointer, CloudFront forgets what it cached, and open tabs find their
// deployments. Idempotent. A project that is gone has nothing to settle.
func (p *Platform) Settle(ctx context.Context, id anchor.ProjectID) error {
	live, err := p.Records.Live(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the live pointer of project %s: %w", id, err)
	}
	if err := p.realign(ctx, live); err != nil {
		return err
	}
	return p.Purge(ctx, live)
}

package sites

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Prepare starts the functions that every page of the target needs, unless they run. Everything
// else is in memory.
func (p *Platform) Prepare(
	ctx context.Context, _ anchor.ProjectID, target func(context.Context) (anchor.Deployment, error),
) (release.Switch, error) {
	d, err := target(ctx)
	if err != nil {
		return nil, err
	}
	s := p.site(d.Serves())
	if s == nil {
		return nil, filesGone(d.Serves())
	}
	if err := s.warmSite(ctx); err != nil {
		return nil, err
	}
	return release.SwitchFunc(p.Follow), nil
}

func filesGone(id anchor.DeploymentID) error {
	return anchor.Failed("files_gone", "the files of deployment %s are missing on this machine", id).
		Hintf("Deploy the same commit again.")
}

// Follow publishes a table in which the project's host leads to the live deployment, unless that
// has no site here. Requests in flight hold the site they were routed to; its workers stop only
// when nothing is in flight.
func (p *Platform) Follow(_ context.Context, live anchor.Live) error {
	if err := p.route(live); err != nil {
		return err
	}
	p.pointers.keep(live)
	if s := p.site(live.Deployment); s != nil {
		p.compileLater(s)
	}
	return nil
}

// Purge has nothing to drop: answers are cached for each deployment, and static files are served
// from the deployment they belong to.
func (p *Platform) Purge(context.Context, anchor.Live) error { return nil }

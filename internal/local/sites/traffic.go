package sites

import (
	"context"
	"log/slog"
	"time"

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
	if err := s.warm(ctx); err != nil {
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
	// Traffic has moved, and the next start writes the missing copy.
	if err := p.folder().keepPointer(live); err != nil {
		slog.Error("keep a copy of the live pointer", "projectId", live.ProjectID, "error", err)
	}
	return nil
}

func (p *Platform) route(live anchor.Live) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.lives[live.ProjectID]
	if before.Revision >= live.Revision {
		return nil
	}
	s := p.sites[live.Deployment]
	if s == nil {
		return filesGone(live.Deployment)
	}
	p.lives[live.ProjectID] = live
	p.publish()
	s.setWarm(true)
	if before.Deployment != live.Deployment {
		p.scheduleCooldown(live.ProjectID, before.Deployment)
	}
	return nil
}

// scheduleCooldown lets the workers of the previously live deployment end once it is unlikely to
// come back; p.mu is held. Those of the deployment before it end now.
func (p *Platform) scheduleCooldown(project anchor.ProjectID, before anchor.DeploymentID) {
	for id, s := range p.sites {
		if s.Project == project && id != before && id != p.lives[project].Deployment {
			s.setWarm(false)
		}
	}
	if t := p.cool[project]; t != nil {
		t.Stop()
	}
	p.cool[project] = time.AfterFunc(p.Warm, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if s := p.sites[before]; s != nil && p.lives[project].Deployment != before {
			s.setWarm(false)
		}
	})
}

// Purge has nothing to drop: the edge of this platform caches no pages yet, and static files are
// served from the deployment they belong to.
func (p *Platform) Purge(context.Context, anchor.Live) error { return nil }

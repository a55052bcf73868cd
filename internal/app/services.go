package app

import (
	"context"
	"iter"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/httpapi"
	"github.com/anchor-deploy/anchor/internal/httpapi/wire"
	"github.com/anchor-deploy/anchor/internal/logs"
)

func (a *app) services() httpapi.Services {
	return httpapi.Services{
		Projects: projects{a.projects, a.hostnames},
		Env:      a.env,
		Deploys:  a.deploys,
		Releases: a.releases,
		Access:   a.access,
		Logs:     logReader{a.logs},
		Sites:    a,
		System:   a,
		Domains:  a.hostnames,
	}
}

// URLs implements httpapi.Sites.
func (a *app) URLs(p anchor.Project, d anchor.DeploymentID) (site, deployment string) {
	siteHost, deploymentHost := a.platform.Hosts(p, d)
	at := a.sitesOrigin()
	site = at.of(siteHost)
	if d != "" {
		deployment = at.of(deploymentHost)
	}
	return site, deployment
}

// logReader gives the API the lines of the book in its own words.
type logReader struct{ book *logs.Book }

func (l logReader) Read(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, limit int) ([]wire.LogLine, error) {
	lines, err := l.book.Read(ctx, p, d, limit)
	out := make([]wire.LogLine, len(lines))
	for i, line := range lines {
		out[i] = wire.LogLine(line)
	}
	return out, err
}

func (l logReader) Follow(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) iter.Seq2[wire.LogLine, error] {
	return func(yield func(wire.LogLine, error) bool) {
		for line, err := range l.book.Follow(ctx, p, d) {
			if !yield(wire.LogLine(line), err) {
				return
			}
		}
	}
}

package server

import (
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/local/metrics"
)

func (a *app) buildServices() api.Services {
	return api.Services{
		Projects: a.core.Projects,
		Env:      a.core.Env,
		Deploys:  a.core.Deploys,
		Pushed:   a.builder,
		Git:      pushes{a},
		Hooks:    a.hooks,
		Crons:    a.crons,
		Previews: a.previews,
		Releases: a.core.Releases,
		Access:   a.core.Access,
		Logs:     a.logs,
		Sites:    a,
		Branches: a.BranchURL,
		System:   a,
		Cache:    pageCache{a},
		Splits:   a.shifter,
		Traffic:  traffic{a},
		Errors:   a.errors,
		Alerts:   a.alerts,
		Drains:   a.drains,
		Backups:  recordCopies{a},
		Metrics:  metrics.Handler(a.metrics, a.Log),
		Domains:  a.core.Domains,
	}
}

// BranchURL returns where the newest preview of a branch can be seen, "" when the branch has none.
func (a *app) BranchURL(p anchor.ProjectID, branch string) string {
	host := a.platform.BranchHost(p, branch)
	if host == "" {
		return ""
	}
	return a.sitesOrigin().originOf(host)
}

// URLs implements api.Sites.
func (a *app) URLs(p anchor.Project, d anchor.DeploymentID) (site, deployment string) {
	siteHost, deploymentHost := a.platform.Hosts(p, d)
	at := a.sitesOrigin()
	site = at.originOf(siteHost)
	if d != "" {
		deployment = at.originOf(deploymentHost)
	}
	return site, deployment
}

package server

import (
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
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
		Releases: a.core.Releases,
		Access:   a.core.Access,
		Logs:     a.logs,
		Sites:    a,
		System:   a,
		Cache:    pageCache{a},
		Traffic:  traffic{a},
		Errors:   a.errors,
		Alerts:   a.alerts,
		Metrics:  a.metricsHandler(),
		Domains:  a.core.Domains,
	}
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

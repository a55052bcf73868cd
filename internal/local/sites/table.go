package sites

import (
	"maps"
	"slices"
	"sync/atomic"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// shelf holds the static files of a project's deployments, newest first: those that are kept, and
// those of which only the hashed files are left. A browser that loaded yesterday's page still finds
// its chunks.
type shelf struct {
	deployments atomic.Pointer[[]shelved]
}

func (s *shelf) find(path string) (asset.Asset, *edge.Rule, bool) {
	if all := s.deployments.Load(); all != nil {
		for _, d := range *all {
			if a, ok := d.index.Lookup(path); ok && d.index.Hashed(path) {
				return a, d.rules[path], true
			}
		}
	}
	return asset.Asset{}, nil, false
}

// publish builds the edge's table from the present state; p.mu is held. Readers continue with the
// table they have.
func (p *Platform) publish() {
	hosts := make(map[string]*edge.Site, len(p.sites)+len(p.lives))
	byProject := map[anchor.ProjectID][]shelved{}
	for _, s := range p.sites {
		hosts[p.deploymentHost(s.Deployment, s.Slug)] = s.edge
		byProject[s.Project] = append(byProject[s.Project], shelved{s.Project, s.Record, s.edge.Assets, s.edge.Rules, false})
	}
	for id, d := range p.damaged {
		hosts[p.deploymentHost(id, d.project.Slug)] = d.edge
		if p.lives[d.project.ID].Deployment == id {
			hosts[p.siteHost(d.project.Slug)] = d.edge
		}
	}
	for _, s := range p.shelves {
		byProject[s.project] = append(byProject[s.project], *s)
	}
	for project, all := range byProject {
		slices.SortFunc(all, func(a, b shelved) int { return b.record.Compare(a.record) })
		p.shelf(project).deployments.Store(&all)
	}
	maps.DeleteFunc(p.hashed, func(project anchor.ProjectID, _ *shelf) bool { return byProject[project] == nil })
	for _, live := range p.lives {
		if s := p.sites[live.Deployment]; s != nil {
			hosts[p.siteHost(s.Slug)] = s.edge
		}
	}
	policies := p.attached(hosts)
	p.Edge.Publish(edge.NewTable(hosts).With(policies))
}

// shelf returns the project's shelf; p.mu is held.
func (p *Platform) shelf(project anchor.ProjectID) *shelf {
	s := p.hashed[project]
	if s == nil {
		s = &shelf{}
		p.hashed[project] = s
	}
	return s
}

func (p *Platform) siteHost(slug string) string { return slug + "." + p.BaseDomain }

func (p *Platform) deploymentHost(id anchor.DeploymentID, slug string) string {
	return string(id) + "--" + p.siteHost(slug)
}

// Hosts returns the host names of a project and of one of its deployments.
func (p *Platform) Hosts(project anchor.Project, id anchor.DeploymentID) (site, deployment string) {
	return p.siteHost(project.Slug), p.deploymentHost(id, project.Slug)
}

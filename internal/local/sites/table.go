package sites

import (
	"maps"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
)

// publish builds the edge's table from the present state; r.mu is held.
func (r *Registry) publish() {
	hosts := make(map[string]*edge.Site, len(r.sites)+len(r.lives))
	for _, s := range r.sites {
		hosts[r.deploymentHost(s.Deployment, s.Slug)] = s.edge
	}
	for id, d := range r.damaged {
		hosts[r.deploymentHost(id, d.project.Slug)] = d.edge
		if r.lives[d.project.ID].Deployment == id {
			hosts[r.siteHost(d.project.Slug)] = d.edge
		}
	}
	for _, live := range r.lives {
		if s := r.sites[live.Deployment]; s != nil {
			hosts[r.siteHost(s.Slug)] = s.edge
		}
	}
	r.addBranches(hosts)
	r.storeHistory()
	policies := r.addDomains(hosts)
	for _, s := range r.sites {
		if s.isPreview() {
			policy := edge.Policy{NoIndex: true, Guard: r.guards[s.Project]}
			policies[r.deploymentHost(s.Deployment, s.Slug)] = policy
			policies[s.BranchLabel+"."+r.base] = policy
		}
	}
	r.edge.Publish(edge.NewTable(hosts).With(policies).Pinning(r.allPins()).Splitting(r.allSplits()))
}

// storeHistory makes the hashed files of each project's deployments available to its sites; r.mu is
// held.
func (r *Registry) storeHistory() {
	byProject := map[anchor.ProjectID][]shelved{}
	for _, s := range r.sites {
		if s.isPreview() && r.guards[s.Project] != nil {
			continue // the site of the project would show them to everybody
		}
		byProject[s.Project] = append(byProject[s.Project], shelved{s.Project, s.Record, s.edge.Assets, s.edge.Rules, false})
	}
	for _, s := range r.shelves {
		byProject[s.project] = append(byProject[s.project], s)
	}
	for project, all := range byProject {
		slices.SortFunc(all, func(a, b shelved) int { return b.record.Compare(a.record) })
		r.historyOf(project).deployments.Store(&all)
	}
	maps.DeleteFunc(r.history, func(project anchor.ProjectID, _ *assetHistory) bool { return byProject[project] == nil })
}

// historyOf returns the project's history; r.mu is held.
func (r *Registry) historyOf(project anchor.ProjectID) *assetHistory {
	h := r.history[project]
	if h == nil {
		h = &assetHistory{}
		r.history[project] = h
	}
	return h
}

// oneYear is the shortest time that browsers' preload lists take (RFC 6797 §6.1.1
// names it in seconds).
const oneYear = "max-age=31536000"

// addDomains adds the custom domains to the hosts of a table, and returns their policies; r.mu is
// held. A name whose project has no live deployment yet has no site.
func (r *Registry) addDomains(hosts map[string]*edge.Site) map[string]edge.Policy {
	policies := make(map[string]edge.Policy, len(r.domains))
	for name, h := range r.domains {
		policy := edge.Policy{RedirectTo: h.Redirect, HTTPSOnly: true}
		if h.HSTS {
			policy.HSTS = oneYear
		}
		policies[name] = policy
		if s := r.answering(r.lives[h.ProjectID].Deployment); s != nil {
			hosts[name] = s
		}
	}
	return policies
}

// answering returns the site that answers for a deployment, or nil when there is none; r.mu is
// held.
func (r *Registry) answering(id anchor.DeploymentID) *edge.Site {
	if s := r.sites[id]; s != nil {
		return s.edge
	}
	return r.damaged[id].edge
}

func (r *Registry) siteHost(slug string) string { return slug + "." + r.base }

func (r *Registry) deploymentHost(id anchor.DeploymentID, slug string) string {
	return string(id) + "--" + r.siteHost(slug)
}

// Hosts returns the host names of a project and of one of its deployments.
func (r *Registry) Hosts(project anchor.Project, id anchor.DeploymentID) (site, deployment string) {
	return r.siteHost(project.Slug), r.deploymentHost(id, project.Slug)
}

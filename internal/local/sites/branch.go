package sites

import (
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
)

// isPreview reports whether a deployment is a preview of a branch.
func (d Description) isPreview() bool {
	return d.Owner.ScopeOf(d.Record.Branch, d.Record.NoRelease).Environment == anchor.EnvPreview
}

// branchLabel returns the label of the host of a deployment's branch, "" when it is not a preview. As long
// as there is a preview of the branch, its label stays: it is stored with each of them. Of two branches
// with the same slug, the later one gets a label with a hash.
func (r *Registry) branchLabel(d Description) string {
	if !d.isPreview() {
		return ""
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	taken := map[string]bool{}
	for _, s := range r.sites {
		switch {
		case s.Project != d.Project || s.BranchLabel == "":
		case s.Record.Branch == d.Record.Branch:
			return s.BranchLabel
		default:
			taken[s.BranchLabel] = true
		}
	}
	labels := anchor.BranchLabels(d.Record.Branch, d.Slug)
	if i := slices.IndexFunc(labels, func(label string) bool { return !taken[label] }); i >= 0 {
		return labels[i]
	}
	return labels[len(labels)-1]
}

// markAnswered lets the host of the deployment's branch lead to it: it has answered its probe.
func (r *Registry) markAnswered(id anchor.DeploymentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s := r.sites[id]; s != nil && !s.Ready {
		s.Ready = true
		r.publish()
	}
}

// newestOfBranches returns the newest preview of each branch that has answered its probe, by the label of
// its host; r.mu is held.
func (r *Registry) newestOfBranches() map[string]*site {
	newest := map[string]*site{}
	for _, s := range r.sites {
		if s.BranchLabel == "" || !s.Ready {
			continue
		}
		if other := newest[s.BranchLabel]; other == nil || other.Record.Before(s.Record) {
			newest[s.BranchLabel] = s
		}
	}
	return newest
}

// addBranches adds the hosts of branches to those of a table; r.mu is held.
func (r *Registry) addBranches(hosts map[string]*edge.Site) {
	for label, s := range r.newestOfBranches() {
		hosts[label+"."+r.base] = s.edge
	}
}

// BranchHost returns the host that leads to the newest preview of a branch, "" when it has none.
func (r *Registry) BranchHost(project anchor.ProjectID, branch string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for label, s := range r.newestOfBranches() {
		if s.Project == project && s.Record.Branch == branch {
			return label + "." + r.base
		}
	}
	return ""
}

package sites

import (
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

// candidateOf returns the site that gets a share of a project's traffic, or nil; r.mu is held.
func (r *Registry) candidateOf(live anchor.Live) *site {
	if live.Split == nil || r.sites[live.Deployment] == nil {
		return nil
	}
	return r.sites[live.Split.Deployment]
}

// splitOf returns the split of the edge for a project's hosts, if there is one; r.mu is held.
func (r *Registry) splitOf(project anchor.ProjectID) (edge.Split, bool) {
	live := r.lives[project]
	candidate := r.candidateOf(live)
	if candidate == nil {
		return edge.Split{}, false
	}
	return edge.Split{Candidate: candidate.edge, Weight: live.Split.Weight, Sticky: live.Split.Sticky}, true
}

// allSplits returns the splits of every host that has one; r.mu is held.
func (r *Registry) allSplits() map[string]edge.Split {
	all := map[string]edge.Split{}
	for project, live := range r.lives {
		if split, ok := r.splitOf(project); ok {
			all[r.siteHost(r.sites[live.Deployment].Slug)] = split
		}
	}
	if len(all) == 0 {
		return nil
	}
	for name, h := range r.domains {
		if split, ok := r.splitOf(h.ProjectID); ok {
			all[name] = split
		}
	}
	return all
}

// splitPins adds to pins the two deployments of a project's split, which a page keeps to whatever is drawn
// for its other requests; r.mu is held.
func (r *Registry) splitPins(project anchor.ProjectID, pins edge.Pins) edge.Pins {
	live := r.lives[project]
	candidate := r.candidateOf(live)
	if candidate == nil {
		return pins
	}
	stable := r.sites[live.Deployment]
	if candidate.Build.SkewID == stable.Build.SkewID {
		return pins // the visitor's lot decides
	}
	if pins == nil {
		pins = edge.Pins{}
	}
	for _, s := range []*site{stable, candidate} {
		if s.Build.SkewID != "" {
			pins[s.Build.SkewID] = edge.Pin{Site: s.edge, Until: time.Now().Add(100 * 365 * 24 * time.Hour)}
		}
	}
	return pins
}

// Splits returns the pointers of the projects whose traffic is divided here.
func (r *Registry) Splits() (all []anchor.Live) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, live := range r.lives {
		if r.candidateOf(live) != nil {
			all = append(all, live)
		}
	}
	return all
}

// Answered returns what the edge has counted of a deployment since its site was opened, and how many answers
// its functions have broken off; nothing without a site.
func (r *Registry) Answered(id anchor.DeploymentID) (samples []meter.Sample, brokenOff int64) {
	s := r.site(id)
	if s == nil {
		return nil, 0
	}
	return s.edge.Answered()
}

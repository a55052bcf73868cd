package sites

import (
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
)

// Registry holds what this machine serves: the sites of deployments, the live pointers, the attached
// domains and the hashed files of pruned deployments. It alone has the lock of all that, and
// publishes the edge's table after each change. Readers of the edge continue with the table they
// have.
type Registry struct {
	base string // domain below which sites have their hosts
	edge *edge.Edge
	warm time.Duration // how long the previously live deployment keeps a worker
	tabs time.Duration // how long open tabs may use it; 0 or less: not at all

	mu      sync.Mutex
	sites   map[anchor.DeploymentID]*site
	damaged map[anchor.DeploymentID]damaged // of those that have no site
	lives   map[anchor.ProjectID]anchor.Live
	domains map[string]anchor.Hostname // attached, by name
	shelves map[anchor.DeploymentID]shelved
	history map[anchor.ProjectID]*assetHistory
	cool    map[anchor.ProjectID]*time.Timer
	guards  map[anchor.ProjectID]*edge.Guard // of protected previews

	openTabs openTabs
}

// damaged is a deployment that should serve and cannot be opened: files of it are missing, or its
// variables cannot be read.
type damaged struct {
	project anchor.Project
	edge    *edge.Site
}

func newRegistry(base string, e *edge.Edge, warm time.Duration) *Registry {
	return &Registry{
		base: base, edge: e, warm: warm,
		sites:   map[anchor.DeploymentID]*site{},
		damaged: map[anchor.DeploymentID]damaged{},
		lives:   map[anchor.ProjectID]anchor.Live{},
		domains: map[string]anchor.Hostname{},
		shelves: map[anchor.DeploymentID]shelved{},
		history: map[anchor.ProjectID]*assetHistory{},
		cool:    map[anchor.ProjectID]*time.Timer{},
		guards:  map[anchor.ProjectID]*edge.Guard{},

		openTabs: openTabs{},
	}
}

// site returns the site of a deployment, or nil.
func (r *Registry) site(id anchor.DeploymentID) *site {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sites[id]
}

// all returns every site.
func (r *Registry) all() []*site {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Values(r.sites))
}

// sitesOf returns the sites of a project's deployments, in no particular order.
func (r *Registry) sitesOf(project anchor.ProjectID) []*site {
	return slices.DeleteFunc(r.all(), func(s *site) bool { return s.Project != project })
}

// liveOf returns the deployment that a project's host leads to, or "".
func (r *Registry) liveOf(project anchor.ProjectID) anchor.DeploymentID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lives[project].Deployment
}

// add makes a site reachable under its own host. It returns false, and changes nothing, when its
// deployment has a site.
func (r *Registry) add(s *site) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sites[s.Deployment] != nil {
		return false
	}
	s.edge.Shared = r.historyOf(s.Project).find
	r.sites[s.Deployment] = s
	delete(r.damaged, s.Deployment)
	r.publish()
	return true
}

// markDamaged makes the hosts of a deployment answer 503 until its site is added.
func (r *Registry) markDamaged(project anchor.Project, id anchor.DeploymentID, cause error) {
	slog.Error("a deployment cannot be brought back; its hosts answer 503: see anchor doctor",
		"projectId", project.ID, "slug", project.Slug, "deploymentId", id, "error", cause)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.sites[id] != nil {
		return
	}
	r.damaged[id] = damaged{project, &edge.Site{ID: string(id), Project: string(project.ID), Slug: project.Slug, Default: edge.Damaged}}
	r.publish()
}

// setPointers replaces the live pointers of projects, whether they have a site here or not.
func (r *Registry) setPointers(lives []anchor.Live) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, live := range lives {
		r.lives[live.ProjectID] = live
	}
	r.publish()
}

// route makes the project's host lead to the live deployment. It ignores a pointer that is not newer
// than the one that it follows.
func (r *Registry) route(live anchor.Live) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.lives[live.ProjectID]
	if before.Revision >= live.Revision {
		return nil
	}
	s := r.sites[live.Deployment]
	if s == nil {
		return filesGone(live.Deployment)
	}
	if live.Split != nil && r.sites[live.Split.Deployment] == nil {
		return filesGone(live.Split.Deployment)
	}
	r.lives[live.ProjectID] = live
	r.noteTabs(before, live)
	r.publish()
	s.setWarm(true)
	if candidate := r.candidateOf(live); candidate != nil {
		candidate.setWarm(true)
	}
	switch ended := before.Split; {
	case before.Deployment != live.Deployment:
		r.scheduleCooldown(live.ProjectID, before.Deployment)
	case ended != nil && !r.serves(live.ProjectID, ended.Deployment):
		r.scheduleCooldown(live.ProjectID, ended.Deployment)
	}
	return nil
}

// scheduleCooldown lets the workers of the previously live deployment end once it is unlikely to
// come back; r.mu is held. Those of the deployment before it end now.
func (r *Registry) scheduleCooldown(project anchor.ProjectID, before anchor.DeploymentID) {
	for id, s := range r.sites {
		if s.Project == project && id != before && !r.serves(project, id) {
			s.setWarm(false)
		}
	}
	if t := r.cool[project]; t != nil {
		t.Stop()
	}
	r.cool[project] = time.AfterFunc(r.warm, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if s := r.sites[before]; s != nil && !r.serves(project, before) {
			s.setWarm(false)
		}
	})
}

// SetGuard makes guard decide who may see the previews of a project; nil: everybody.
func (r *Registry) SetGuard(project anchor.ProjectID, guard *edge.Guard) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if guard == nil {
		delete(r.guards, project)
	} else {
		r.guards[project] = guard
	}
	r.publish()
}

// serves reports whether a deployment gets traffic of its project, all or a share; r.mu is held.
func (r *Registry) serves(project anchor.ProjectID, id anchor.DeploymentID) bool {
	live := r.lives[project]
	return live.Deployment == id || live.Split != nil && live.Split.Deployment == id
}

// attach makes a name lead to its project's live deployment over HTTPS.
func (r *Registry) attach(h anchor.Hostname) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.domains[h.Name] = h
	r.publish()
}

// detach removes a name unless another hostname has it.
func (r *Registry) detach(h anchor.Hostname) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.domains[h.Name].ID == h.ID {
		delete(r.domains, h.Name)
		r.publish()
	}
}

// remove removes a deployment's site from the table and returns it, or nil when there is none. The
// hashed files of one that keeps them stay in the same table, so that no request misses them.
func (r *Registry) remove(d anchor.Deployment) *site {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.sites[d.ID]
	delete(r.sites, d.ID)
	delete(r.damaged, d.ID)
	switch {
	case !d.KeepsAssets(time.Now()):
		delete(r.shelves, d.ID)
	case s != nil:
		r.shelves[d.ID] = shelved{s.Project, d, s.edge.Assets, s.edge.Rules, false}
	}
	r.publish()
	return s
}

// removeProject removes a project's pointer, and with it the project's host. It returns the
// deployments of which something is left.
func (r *Registry) removeProject(project anchor.ProjectID) (left []anchor.DeploymentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for id, s := range r.sites {
		if s.Project == project {
			left = append(left, id)
		}
	}
	for id, s := range r.shelves {
		if s.project == project {
			left = append(left, id)
		}
	}
	for id, d := range r.damaged {
		if d.project.ID == project {
			left = append(left, id)
		}
	}
	delete(r.lives, project)
	delete(r.openTabs, project)
	delete(r.guards, project)
	if t := r.cool[project]; t != nil {
		t.Stop()
		delete(r.cool, project)
	}
	r.publish()
	return left
}

// shelve makes the hashed files of a pruned deployment available to the sites of its project.
func (r *Registry) shelve(s shelved) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.shelves[s.record.ID] = s
	r.publish()
}

// isReduced reports whether nothing but its hashed files is left of a deployment.
func (r *Registry) isReduced(id anchor.DeploymentID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.shelves[id].reduced
}

// Shelved returns how many pruned deployments still have their hashed files here.
func (r *Registry) Shelved() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.shelves)
}

// Siblings returns the namespaces of the deployment's project: the ids of its deployments that have
// a site here, or none for an unknown deployment.
func (r *Registry) Siblings(id anchor.DeploymentID) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	own := r.sites[id]
	if own == nil {
		return nil
	}
	var all []string
	for _, s := range r.sites {
		if s.Project == own.Project {
			all = append(all, string(s.Deployment))
		}
	}
	return all
}

// close forgets all sites and returns them. The table stays as it is.
func (r *Registry) close() []*site {
	r.mu.Lock()
	defer r.mu.Unlock()
	sites := slices.Collect(maps.Values(r.sites))
	clear(r.sites)
	for _, t := range r.cool {
		t.Stop()
	}
	return sites
}

package sites

import (
	"context"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/release"
)

// openTabs are until when tabs may use deployments that were live before the present one, by project.
type openTabs map[anchor.ProjectID]map[anchor.DeploymentID]time.Time

// restoreTabs reads from the releases which deployments tabs may still use.
func (p *Platform) restoreTabs(ctx context.Context, lives []anchor.Live) error {
	all := openTabs{}
	for _, live := range lives {
		until, err := release.TabsUntil(ctx, p.Records, live.ProjectID, p.Tabs, time.Now())
		if err != nil {
			return err
		}
		all[live.ProjectID] = until
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.openTabs = all
	p.publish()
	return nil
}

// noteTabs changes what tabs may use as a release moves the pointer from before to live: it adds
// what was live, or removes everything when the release forces a reload, and when releases between
// the two, which might have, were not followed. r.mu is held.
func (r *Registry) noteTabs(before, live anchor.Live) {
	now, p := time.Now(), live.ProjectID
	until := map[anchor.DeploymentID]time.Time{}
	if !live.ForceReload && live.Revision == before.Revision+1 && r.tabs > 0 {
		for id, end := range r.openTabs[p] {
			if now.Before(end) {
				until[id] = end
			}
		}
		until[before.Deployment] = now.Add(r.tabs)
	}
	delete(until, live.Deployment)
	r.openTabs[p] = until
}

// pinsOf returns the earlier deployments of a project that its hosts lead to where a tab asks for
// them, and the project's host; r.mu is held. When deployments share an id, as builds of an app that
// sets its deploymentId do, the live one has it, or else the one that was live last.
func (r *Registry) pinsOf(project anchor.ProjectID) (pins edge.Pins, host string) {
	live := r.sites[r.lives[project].Deployment]
	if live != nil {
		host = r.siteHost(live.Slug)
	}
	for id, until := range r.openTabs[project] {
		s := r.sites[id]
		if s == nil || s.Build.SkewID == "" || live != nil && live.Build.SkewID == s.Build.SkewID ||
			!until.After(pins[s.Build.SkewID].Until) {
			continue
		}
		if pins == nil {
			pins, host = edge.Pins{}, r.siteHost(s.Slug)
		}
		pins[s.Build.SkewID] = edge.Pin{Site: s.edge, Until: until}
	}
	return r.splitPins(project, pins), host
}

// allPins returns the pins of every host that has some; r.mu is held. A deployment's own host has
// none: what it shows is that deployment.
func (r *Registry) allPins() map[string]edge.Pins {
	byProject, all := map[anchor.ProjectID]edge.Pins{}, map[string]edge.Pins{}
	for project := range r.lives {
		if pins, host := r.pinsOf(project); pins != nil {
			byProject[project], all[host] = pins, pins
		}
	}
	for name, h := range r.domains {
		if pins := byProject[h.ProjectID]; pins != nil {
			all[name] = pins
		}
	}
	return all
}

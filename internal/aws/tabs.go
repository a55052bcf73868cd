package aws

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/front"
	"github.com/anchor-deploy/anchor/internal/release"
)

// noteTabs stores at CloudFront which deployments open tabs may use, once for each release in this
// process. A project none of whose deployments has an id costs no call.
func (p *Platform) noteTabs(ctx context.Context, live anchor.Live) error {
	if p.Tabs <= 0 || p.hasTabs(live) {
		return nil
	}
	project, err := p.project(ctx, live.ProjectID)
	if err != nil {
		return err
	}
	tabs, err := p.listTabs(ctx, live)
	if err != nil {
		return fmt.Errorf("find what open tabs of %s may use: %w", project.Slug, err)
	}
	if len(tabs) > 0 {
		if err := p.front.PutTabs(ctx, project, live.Revision, tabs); err != nil {
			return fmt.Errorf("store what open tabs of %s may use: %w", project.Slug, err)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tabs[live.ProjectID] = live.Revision
	return nil
}

// noteTabsOf is noteTabs for a recent release: a look at an idle project has no call for it.
func (p *Platform) noteTabsOf(ctx context.Context, live anchor.Live) error {
	released, err := anchor.TimeOf(string(live.Release))
	if err != nil {
		return fmt.Errorf("read when release %s was: %w", live.Release, err)
	}
	if p.Now().Sub(released) > spreadLong {
		return nil
	}
	return p.noteTabs(ctx, live)
}

func (p *Platform) hasTabs(live anchor.Live) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.tabs[live.ProjectID] >= live.Revision
}

// listTabs returns the live deployment and those before it that tabs may use, the latest first.
// Only the first of several with one id counts.
func (p *Platform) listTabs(ctx context.Context, live anchor.Live) (tabs []front.Tab, err error) {
	until, err := release.TabsUntil(ctx, p.Records, live.ProjectID, p.Tabs, p.Now())
	if err != nil {
		return nil, err
	}
	latest := slices.SortedFunc(maps.Keys(until), func(a, b anchor.DeploymentID) int {
		return cmp.Or(until[b].Compare(until[a]), cmp.Compare(b, a))
	})
	known := map[string]bool{"": true}
	for _, id := range append([]anchor.DeploymentID{live.Deployment}, latest...) {
		d, err := p.Records.Deployment(ctx, id)
		if errors.Is(err, anchor.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if known[d.SkewID] || !d.CanServe() {
			continue
		}
		known[d.SkewID] = true
		tabs = append(tabs, front.Tab{SkewID: d.SkewID, Deployment: id, Until: until[id]})
	}
	return tabs, nil
}

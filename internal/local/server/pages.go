package server

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// openPages makes the store of answers that visitors share; nil without one.
func (a *app) openPages() *cache.Store {
	if a.PageCacheMiB > 0 {
		a.pages = cache.New(a.PageCacheMiB << 20)
	}
	return a.pages
}

// pageCache implements api.Cache.
type pageCache struct{ app *app }

// Stats implements api.Cache.
func (c pageCache) Stats(_ context.Context, p anchor.Project) (wire.Cache, error) {
	stats := wire.Cache{Enabled: c.app.pages != nil, Deployments: []wire.DeploymentCache{}}
	if !stats.Enabled {
		return stats, nil
	}
	usage := c.app.pages.Usage()
	stats.CapacityBytes, stats.UsedBytes, stats.Evictions = usage.Capacity, usage.Bytes, usage.Evictions
	for _, d := range c.app.platform.PageStats(p.ID) {
		n := d.Counters
		stats.Deployments = append(stats.Deployments, wire.DeploymentCache{
			DeploymentID: d.Deployment, Live: d.Live, Entries: d.Entries, Bytes: d.Bytes,
			Hits: n.Hits.Load(), Stale: n.Stale.Load(), Misses: n.Misses.Load(), Collapsed: n.Joined.Load(),
			Passed: n.Passed.Load(), Stored: n.Stored.Load(), Invalidations: n.Invalidations.Load(),
		})
	}
	return stats, nil
}

// Purge implements api.Cache.
func (c pageCache) Purge(_ context.Context, p anchor.Project, sel anchor.CacheSelection) (int, error) {
	return c.app.platform.PurgePages(p.ID, sel), nil
}

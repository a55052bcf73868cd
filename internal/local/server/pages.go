package server

import (
	"context"
	"path/filepath"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// pagesFolder holds the answers on disk, in the data folder.
const pagesFolder = "pages"

// openPages makes the store of answers that visitors share; nil without one. A disk that cannot be
// used does not stop the server: doctor reports it.
func (a *app) openPages() *cache.Store {
	if a.PageCacheMiB <= 0 {
		return nil
	}
	a.pages = cache.New(a.PageCacheMiB << 20)
	if a.PageDiskMiB <= 0 {
		return a.pages
	}
	if err := a.pages.OpenDisk(filepath.Join(a.Data, pagesFolder), a.PageDiskMiB<<20); err != nil {
		a.Log.Warn("stored answers are kept in memory only", "error", err)
		return a.pages
	}
	a.onClose(func() error {
		ctx, cancel := context.WithTimeout(context.Background(), pagesGrace)
		defer cancel()
		return a.pages.Close(ctx)
	})
	return a.pages
}

// pagesGrace is how long writing answers to disk may take at the end.
const pagesGrace = 5 * time.Second

// checkPages reports whether stored answers can be kept on disk.
func (a *app) checkPages() wire.Check {
	disk := a.pages.Usage().Disk
	c := wire.Check{Name: "Cache on disk", OK: disk.Problem == "", Detail: disk.Problem}
	if c.OK {
		c.Detail = countNoun(disk.Entries, "stored answer")
		return c
	}
	c.Hint = "Sites work, but are slower after a restart. Free some space and check the permissions of the folder " +
		filepath.Join(a.Data, pagesFolder) + "; if that does not help, restart Anchor. To keep answers in memory only, use anchor up --page-disk-mib 0."
	return c
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
	stats.Disk = wire.CacheDisk{
		CapacityBytes: usage.Disk.Capacity, UsedBytes: usage.Disk.Bytes, Entries: usage.Disk.Entries,
		Written: usage.Disk.Written, Read: usage.Disk.Read, Damaged: usage.Disk.Damaged, Problem: usage.Disk.Problem,
	}
	for _, d := range c.app.platform.PageStats(p.ID) {
		n := d.Counters
		stats.Deployments = append(stats.Deployments, wire.DeploymentCache{
			DeploymentID: d.Deployment, Live: d.Live, Entries: d.Entries, Bytes: d.Bytes, DiskEntries: d.OnDisk, DiskBytes: d.DiskBytes, Recalled: n.Recalled.Load(),
			Hits: n.Hits.Load(), Stale: n.Stale.Load(), Misses: n.Misses.Load(), Collapsed: n.Joined.Load(),
			Passed: n.Passed.Load(), Stored: n.Stored.Load(), Invalidations: n.Invalidations.Load(),
		})
	}
	return stats, nil
}

// Purge implements api.Cache.
func (c pageCache) Purge(_ context.Context, p anchor.Project, sel anchor.CacheSelection) (int, error) {
	return c.app.platform.PurgePages(p.ID, sel)
}

// List implements api.Cache.
func (c pageCache) List(_ context.Context, p anchor.Project, sel anchor.CacheSelection) ([]wire.CachedAnswer, error) {
	pages := c.app.platform.ListPages(p.ID, sel)
	all := make([]wire.CachedAnswer, len(pages))
	for i, page := range pages {
		all[i] = wire.CachedAnswer{
			ID: page.ID, DeploymentID: page.Deployment, URL: page.URL, Status: page.Status, Vary: page.Vary, Tags: page.Tags,
			AgeSeconds: int64(page.Age / time.Second), FreshSeconds: int64(page.TTL / time.Second),
			Bytes: page.Bytes, Hits: page.Hits, OnDisk: page.OnDisk,
		}
	}
	return all, nil
}

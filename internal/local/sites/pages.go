package sites

import (
	"errors"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
	"github.com/anchor-deploy/anchor/internal/local/isr"
	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
)

// share opens the deployment's namespace among the answers that visitors share.
func (p *Platform) share(s *site) error {
	if p.Pages == nil {
		return nil
	}
	sharing, err := opennext.ReadSharing(os.DirFS(s.Dir), s.Build)
	if err != nil {
		return err
	}
	s.edge.Cache = p.Pages.Open(string(s.Deployment))
	s.edge.Sharing = edge.Sharing{Headers: sharing.Headers, Cookies: sharing.Cookies, Guarded: func(*url.URL) bool { return false }}
	if sharing.HasMiddleware() {
		known := &guardedPaths{decide: sharing.Guarded}
		s.edge.Sharing.Guarded = known.guarded
	}
	return nil
}

// invalidateRows makes the stored answers of a deployment invalid that were made from the entries that
// rows of its tag table name, and those of which it is not known; without rows, all.
func (p *Platform) invalidateRows(ns string, rows []isr.TagRow) {
	s := p.siteByName(ns)
	if s == nil || s.edge.Cache == nil {
		return
	}
	var tags, keys []string
	for _, row := range rows {
		tag, key, known := namesOf(s.Build, row)
		if !known {
			rows = nil
			break
		}
		tags, keys = append(tags, tag, strings.TrimPrefix(tag, "_tag/")), append(keys, key)
	}
	if len(rows) == 0 {
		s.edge.Cache.Invalidate()
		return
	}
	s.edge.InvalidateEntries(compacted(tags), compacted(keys))
}

// invalidateObject makes the stored answers invalid that were made from an entry which the app has
// deleted: Next.js deletes a page that does not exist any more. Of an entry that is not a page it is not known.
func (p *Platform) invalidateObject(ns, object string) {
	s := p.siteByName(ns)
	if s == nil || s.edge.Cache == nil {
		return
	}
	if key, ok := pageKeyOf(s.Build, object); ok {
		s.edge.InvalidatePage(key)
		return
	}
	s.edge.Cache.Invalidate()
}

// pageKeyOf returns the key of a page as the app knows it, of the object in which OpenNext stores it.
func pageKeyOf(b anchor.Build, object string) (key string, isPage bool) {
	rest, stored := strings.CutPrefix(object, awswire.CachePrefix+"/")
	rest, isPage = strings.CutSuffix(rest, ".cache")
	for _, build := range []string{b.CacheBuild, b.BuildID} {
		if key, ok := strings.CutPrefix(rest, build+"/"); ok && stored && isPage && build != "" {
			return key, true
		}
	}
	return "", false
}

// namesOf returns the tag and the key of a row as the app knows them: OpenNext puts the build before
// both, and in its other mode "_tag" between, with the same text for both.
func namesOf(b anchor.Build, row isr.TagRow) (tag, key string, known bool) {
	for _, build := range []string{b.CacheBuild, b.BuildID} {
		tag, tagged := strings.CutPrefix(row.Tag, build+"/")
		key, keyed := strings.CutPrefix(row.Path, build+"/")
		if build != "" && tagged && keyed {
			return tag, key, true
		}
	}
	return "", "", false
}

func compacted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// dropPages removes the stored answers of a deployment that is removed.
func (p *Platform) dropPages(id anchor.DeploymentID) {
	if p.Pages != nil {
		p.Pages.Remove(string(id))
	}
}

// PageStats describe the stored answers of one deployment.
type PageStats struct {
	Deployment anchor.DeploymentID
	Live       bool
	Entries    int   // in memory
	Bytes      int64 // that those take
	OnDisk     int   // entries
	DiskBytes  int64
	Counters   *cache.Counters
}

// PageStats returns the stored answers of a project's deployments, the newest deployment first.
func (p *Platform) PageStats(project anchor.ProjectID) []PageStats {
	live := p.liveOf(project)
	all := []PageStats{}
	for _, s := range p.pagesOf(project, "") {
		stats := PageStats{Deployment: s.Deployment, Live: s.Deployment == live, Counters: s.edge.Cache.Counters()}
		stats.Entries, stats.Bytes = s.edge.Cache.Size()
		stats.OnDisk, stats.DiskBytes = s.edge.Cache.DiskSize()
		all = append(all, stats)
	}
	return all
}

// PurgePages removes stored answers of a project and returns how many.
func (p *Platform) PurgePages(project anchor.ProjectID, sel anchor.CacheSelection) (purged int, err error) {
	for _, s := range p.pagesOf(project, sel.Deployment) {
		n, failed := s.edge.Cache.Purge(selectionOf(sel))
		purged, err = purged+n, errors.Join(err, failed)
	}
	if err != nil {
		err = anchor.Failed("purge_incomplete", "some answers could not be removed from the disk; the server does not send them any more").
			Hintf("See anchor doctor for the cause. The next start of the server discards all answers on disk.").Because(err)
	}
	return purged, err
}

func selectionOf(sel anchor.CacheSelection) cache.Selection {
	return cache.Selection{Host: sel.Host, Path: sel.Path, Prefix: sel.Prefix, Tag: sel.Tag}
}

// Page describes a stored answer of a deployment.
type Page struct {
	Deployment anchor.DeploymentID
	cache.Listed
}

// ListPages returns the stored answers of a project that sel describes, in no particular order.
func (p *Platform) ListPages(project anchor.ProjectID, sel anchor.CacheSelection) []Page {
	var all []Page
	now := time.Now()
	for _, s := range p.pagesOf(project, sel.Deployment) {
		for _, listed := range s.edge.Cache.List(selectionOf(sel), now) {
			all = append(all, Page{s.Deployment, listed})
		}
	}
	return all
}

// pagesOf returns the project's sites that store answers, newest first; only that of deployment
// unless it is "".
func (p *Platform) pagesOf(project anchor.ProjectID, deployment anchor.DeploymentID) []*site {
	found := slices.DeleteFunc(p.sitesOf(project), func(s *site) bool {
		return s.edge.Cache == nil || deployment != "" && s.Deployment != deployment
	})
	slices.SortFunc(found, func(a, b *site) int { return b.Record.Compare(a.Record) })
	return found
}

// guardedPaths remembers for which paths the middleware runs: matchers are slow regular
// expressions.
type guardedPaths struct {
	decide func(*url.URL) bool
	known  sync.Map // of bool, by path
	size   atomic.Int64
}

// mostGuardedPaths bounds the memory; other paths are decided each time.
const mostGuardedPaths = 4096

func (g *guardedPaths) guarded(u *url.URL) bool {
	path := u.EscapedPath()
	if guarded, ok := g.known.Load(path); ok {
		return guarded.(bool)
	}
	guarded := g.decide(u)
	if len(path) <= 256 && g.size.Add(1) <= mostGuardedPaths {
		g.known.Store(path, guarded)
	}
	return guarded
}

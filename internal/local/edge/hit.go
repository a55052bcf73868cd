package edge

import (
	"net/http"
	"sync/atomic"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// hit is the answer to a plain GET for a static file in memory or a stored page. The connection
// sends it inside the Read by which net/http waits for the next request (hitconn.go for HTTP/1.1,
// http2.go for HTTP/2), so net/http does not see the request.
type hit struct {
	file asset.Ready
	site *Site
	hsts []byte       // Strict-Transport-Security, or nothing
	alt  []byte       // Alt-Svc, or nothing
	tail []byte       // the end of a page's header; nil for a file
	page *cache.Entry // nil for a file
}

// findHit returns the answer to a request if it is a hit. The answer needs nothing that stops when
// its site leaves the table, so it does not matter whether Site.Drain sees the request.
func (e *Edge) findHit(c *hitConn, r *plainGet) (hit, bool) {
	if !e.takesHit(c, r) {
		return hit{}, false
	}
	table := e.table.Load()
	policy := table.policyOf(r.host)
	if policy != (Policy{}) && (r.forwarded || policy.NoIndex || policy.Guard != nil || policy.RedirectTo != "" || policy.HTTPSOnly && !c.secure) {
		return hit{}, false
	}
	site := table.findSite(r.host)
	if site == nil {
		return hit{}, false
	}
	site, ok := e.pinnedHit(table, site, r)
	if !ok || site.inFlight.Load() >= e.cfg.MaxPerSite {
		return hit{}, false
	}
	h := hit{site: site}
	if alt := e.http3.altSvc.Load(); alt != nil && c.secure {
		h.alt = alt.line
	}
	if c.secure && policy.HSTS != "" {
		h.hsts = table.hsts[policy.HSTS]
	}
	file, rule, ok := site.plainFile(r.path)
	if !ok {
		return h, e.findPage(&h, r, c.secure)
	}
	if h.hsts != nil && rule.setsField(headerHSTS) { // only one may be sent
		return hit{}, false
	}
	h.file, ok = file.Ready(r.accept, r.noneMatch, site.decorationFor(rule))
	return h, ok
}

// takesHit reports whether ServeHTTP would answer a request with a whole file, if there is one.
func (e *Edge) takesHit(c *hitConn, r *plainGet) bool {
	if r.conditional || len(r.target) > e.cfg.MaxURLBytes || e.inFlight.Load() >= e.cfg.MaxConcurrent {
		return false
	}
	if port := portOf(r.host); port != "" && !isPort(port) {
		return false
	}
	return c.serverName == "" || c.serverName == hostnameOf(r.host)
}

// plainFile finds a static file, and its rule, if no function decides about requests for it.
func (s *Site) plainFile(path string) (asset.Asset, *Rule, bool) {
	if _, routed := s.routedTarget(path); routed {
		return asset.Asset{}, nil, false
	}
	t := s.fileTarget(path)
	return t.asset, t.rule, t.found && (t.rule == nil || !t.rule.Ask)
}

// decorationFor returns what the site and a rule, which may be nil, add to the header of a file.
func (s *Site) decorationFor(rule *Rule) *asset.Decoration {
	if d, ok := s.decorations.Load(rule); ok {
		return d.(*asset.Decoration)
	}
	r := &response{site: s.Header}
	if rule != nil {
		r.override = rule.Header
	}
	d, _ := s.decorations.LoadOrStore(rule, &asset.Decoration{Add: r.decorateHeader})
	return d.(*asset.Decoration)
}

// dateField is the Date of one second: as octets with the empty line that ends a header, in HPACK,
// and as the value of a field.
type dateField struct {
	second int64
	octets []byte
	block  []byte // the field in HPACK
	value  []string
}

var lastDate atomic.Pointer[dateField]

func dateAt(now time.Time) *dateField {
	if last := lastDate.Load(); last != nil && last.second == now.Unix() {
		return last
	}
	value := now.UTC().Format(http.TimeFormat)
	line := []byte("Date: " + value + "\r\n\r\n")
	next := &dateField{now.Unix(), line, appendFieldLines(nil, line), []string{value}}
	lastDate.Store(next)
	return next
}

// Package edge is the HTTP front. It finds the site of a request by its host in an immutable table,
// cleans the request's headers, and answers from the site's static files or one of its functions. A
// new table replaces the old one in a single atomic store, and requests under way end on the site
// they began on.
//
// It knows nothing of projects, deployments or Node.js: functions are http.Handlers, and the
// publisher of a table decides what a site is.
package edge

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

// Edge serves the sites of the table it was last given. Its zero value is not usable; call New.
type Edge struct {
	cfg      Config
	table    atomic.Pointer[Table]
	inFlight atomic.Int64
	gate     *gate
	server   *http.Server
	http2    *http.Server // of the connections over TLS that speak HTTP/2
	cutting  atomic.Bool  // Shutdown closes what is still open

	noHits       bool             // in tests: passes every request to net/http
	now          func() time.Time // in tests: ages the stored answers
	hitsInFlight atomic.Int64
	newcomers    newcomers
	tunnels      tunnels
	http3        *http3Front

	meters meters

	refreshing atomic.Int64 // refreshes of stored answers that run
}

// New returns an Edge with an empty table. Zero fields of cfg take their defaults.
func New(cfg Config) *Edge {
	e := &Edge{cfg: cfg.withDefaults(), now: time.Now}
	e.table.Store(NewTable(nil))
	e.meters.nobody = meter.NewTraffic()
	e.gate = e.newGate()
	e.tunnels.most = e.cfg.MaxTunnelsPerProject
	e.server = e.newServer()
	e.http2 = e.newHTTP2Server()
	e.http3 = e.newHTTP3()
	return e
}

// Publish makes t the table of every request that arrives from now on. Requests under way are not
// affected.
func (e *Edge) Publish(t *Table) {
	if e.cfg.Reserved != "" {
		t.exact[e.cfg.Reserved] = nil // ahead of a wildcard
	}
	e.table.Store(t)
}

// ServeHTTP answers a request from outside. It believes nothing that the request says about itself
// except what the Config trusts.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.guardHandler(w, r, e.answerRequest)
}

func (e *Edge) answerRequest(w http.ResponseWriter, r *http.Request) {
	defer e.inFlight.Add(-1)
	if e.inFlight.Add(1) > e.cfg.MaxConcurrent {
		writeRefusal(w, r, overloaded)
		return
	}
	if hasBadOctet(r.RequestURI) { // before normalized encodes them
		writeRefusal(w, r, badOctet)
		return
	}
	r = normalizePath(r)
	if no := e.checkAcceptable(r); no != nil {
		writeRefusal(w, r, no)
		return
	}
	if r.RequestURI == "*" { // OPTIONS asks about the server, not about a site (RFC 9110, section 9.3.7)
		w.Header().Set("Content-Length", "0")
		return
	}
	if e.isMisdirected(r) {
		writeRefusal(w, r, misdirected)
		return
	}
	w, answered := e.applyHostPolicy(w, r)
	if answered {
		return
	}
	site, split := e.acquireSite(r)
	if site == nil {
		writeRefusal(w, r, unknownHost(r.Host))
		return
	}
	defer site.leave()
	measuredOf(w).setSite(site, split)
	if site.inFlight.Load() > e.cfg.MaxPerSite {
		writeRefusal(w, r, siteOverloaded)
		return
	}
	t := site.resolveTarget(r.Method, r.URL)
	if t.function == nil {
		e.serveStatic(site, t, w, r)
		return
	}
	e.serveFunction(site, t, w, r)
}

// Dispatch answers a request of Anchor itself (the probe of a new deployment, a revalidation) from
// a site that need not be in the table. The request is trusted: headers stay as they are, x-isr and
// x-prerender-revalidate among them, and the limits for outsiders do not apply.
func (e *Edge) Dispatch(site *Site, w http.ResponseWriter, r *http.Request) {
	site.enter()
	defer site.leave()
	r = normalizePath(r)
	t := site.resolveTarget(r.Method, r.URL)
	if t.function == nil {
		e.serveStatic(site, t, w, r)
		return
	}
	e.run(site, t, newResponse(w), r.Clone(r.Context()))
}

// acquireSite finds the site of a request's host, or the earlier version of it that the request names,
// and enters it for one request. It returns nil when the host has none. split is not nil where
// chance chose the site.
//
// Between reading the table and entering the site, a new table may be published and the old site
// drained by a caller that saw nothing in flight. So acquire reads the table again after it entered:
// either this request sees the new table, or Site.Drain, which counts after the publication, sees
// the request.
func (e *Edge) acquireSite(r *http.Request) (site *Site, split *splitAnswer) {
	for {
		table := e.table.Load()
		live := table.findSite(r.Host)
		if live == nil {
			return nil, nil
		}
		site, split = e.pinnedSite(table, live, r)
		site.enter()
		if e.table.Load() == table {
			return site, split
		}
		site.leave()
	}
}

// serveFunction prepares an outsider's request for a function.
func (e *Edge) serveFunction(site *Site, t target, w http.ResponseWriter, r *http.Request) {
	if asksForWebSocket(r) {
		e.serveWebSocket(site, t, w, r)
		return
	}
	id := requestID(r)
	res := newResponse(w)
	res.extra = http.Header{headerRequestID: {id}}
	// Only below an http.Server does a function panic when it breaks an answer off. Without that, a
	// part could be stored as the whole.
	res.outside = r.Context().Value(http.ServerContextKey) != nil
	out := e.sanitizedRequest(r, id)
	m := measuredOf(w)
	trace, span := e.beginTrace(m, out.Header)
	m.setFunction(res, id, trace, span)
	e.run(site, t, res, out)
}

// run passes a request through the site's middleware, if its behaviour has one, to its function.
func (e *Edge) run(site *Site, t target, res *response, r *http.Request) {
	res.site, res.files = site.Header, true
	if t.found {
		r = spelledAs(r)
	}
	guarded := site.Middleware != nil && site.isGuarded(t.pattern)
	if guarded {
		var done bool
		if t, r, done = e.runMiddleware(site, t, res, r); done {
			e.serveNamed(site, res, r)
			return
		}
	}
	if t.function == nil {
		e.serveStatic(site, t, res, r)
		return
	}
	e.invokeFunction(site, t, guarded, res, r)
	e.serveNamed(site, res, r)
}

// invokeFunction is the only place where a function is called. The shared cache stands here, in front of
// it. A request that passed through an external middleware (guarded), and a request of Anchor
// itself, go past the cache.
func (e *Edge) invokeFunction(site *Site, t target, guarded bool, res *response, r *http.Request) {
	res.beginFunction(t.function)
	t.function = site.hinting(t.function, res, r)
	if site.Cache == nil || res.tunnel != nil {
		e.call(t.function, res, r)
		return
	}
	x := exchange{edge: e, site: site, target: t, res: res, r: r}
	if !res.outside {
		res.began = x.noteRevalidation
		e.call(t.function, res, r)
		return
	}
	x.serve(guarded)
}

// call sends a request to a function and its answer to the client.
func (e *Edge) call(function http.Handler, res *response, r *http.Request) {
	if res.tunnel != nil {
		function.ServeHTTP(res.tunnel, r)
		res.tunnel.finishHeader()
		return
	}
	out := newCompressor(res, r)
	defer out.release()
	function.ServeHTTP(out, r)
	out.close()
	res.finishHeader()
}

func (e *Edge) serveStatic(site *Site, t target, w http.ResponseWriter, r *http.Request) {
	measuredOf(w).setFile()
	w = withRule(w, t.rule)
	if res, ok := w.(*response); ok {
		res.site = site.Header
	} else {
		addHeader(w.Header(), site.Header)
	}
	if !t.found {
		missingAsset(w, r)
		return
	}
	if err := t.asset.Serve(w, r); err != nil {
		e.cfg.Log.ErrorContext(context.WithoutCancel(r.Context()), "static file is not readable", "site", site.ID, "error", err)
		writeRefusal(w, r, unreadable)
	}
}

package edge

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
)

// exchange is a client's request for a function, in front of which the shared cache stands.
type exchange struct {
	edge   *Edge
	site   *Site
	target target
	res    *response
	r      *http.Request

	found *cache.Request
}

// serve answers from the cache, or calls the function and stores its answer.
func (x *exchange) serve(guarded bool) {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		x.res.began = x.invalidate
		x.pass(cache.Status{Forward: cache.ForwardMethod})
		return
	}
	why := keptFromCache(x.r)
	if guarded {
		why = "middleware"
	}
	if why != "" {
		x.res.began = x.noteRevalidation
		x.pass(cache.Status{Forward: cache.ForwardBypass, Detail: why})
		return
	}
	x.found = x.site.cacheRequest(x.target, x.r)
	x.look()
}

// look sends a stored response, or asks the function.
func (x *exchange) look() {
	now := x.edge.now()
	entry, passing := x.found.Find(now)
	status := cache.Status{Hit: true}
	if entry == nil {
		if entry = x.found.Recall(now); entry != nil {
			status.Detail = "disk"
		}
	}
	if entry != nil {
		switch entry.State(now) {
		case cache.Fresh:
			entry.CountHit(&x.counters().Hits)
			if entry.AsksForTags(now) && entry.Asked() {
				x.refresh(entry)
			}
			x.send(entry, status)
			return
		case cache.WhileAway:
			entry.CountHit(&x.counters().Stale)
			x.refresh(entry)
			x.send(entry, status)
			return
		}
	}
	switch directives := requestDirectives(x.r.Header); {
	case directives["only-if-cached"]: // RFC 9111, section 5.2.1.7
		writeRefusal(x.res, x.r, notCached)
	case passing, directives["no-store"], x.r.Method == http.MethodHead, len(x.r.Header["Range"]) > 0:
		x.pass(cache.Status{Forward: cache.ForwardMiss})
	default:
		x.miss(entry)
	}
}

// mostFlights is for how many responses to other requests one request waits.
const mostFlights = 3

// miss asks the function, or waits for the response to a request that does. stale is the stored
// response to validate; nil for none.
func (x *exchange) miss(stale *cache.Entry) {
	came := x.edge.now()
	for range mostFlights {
		flight, leads := x.found.Board()
		if leads {
			if entry := x.storedMeanwhile(stale); entry != nil {
				flight.End(cache.Done, entry)
				entry.CountHit(&x.counters().Hits)
				x.send(entry, cache.Status{Hit: true})
				return
			}
			x.counters().Misses.Add(1)
			x.lead(flight, stale)
			return
		}
		outcome, err := flight.Wait(x.r.Context())
		if err != nil {
			abandonRequest(x.res, x.r)
			return
		}
		if outcome != cache.Done {
			break
		}
		if entry := flight.Entry(x.found, came); entry != nil {
			x.counters().Misses.Add(1)
			x.counters().Joined.Add(1)
			x.send(entry, cache.Status{Forward: cache.ForwardMiss, Collapsed: true})
			return
		}
	}
	x.pass(cache.Status{Forward: cache.ForwardMiss})
}

// storedMeanwhile returns a fresh response that another request has stored since this one found stale, or nothing.
func (x *exchange) storedMeanwhile(stale *cache.Entry) *cache.Entry {
	now := x.edge.now()
	entry, _ := x.found.Find(now)
	if entry == nil || entry == stale || entry.State(now) != cache.Fresh {
		return nil
	}
	return entry
}

// lead calls the function for all that wait.
func (x *exchange) lead(flight *cache.Flight, stale *cache.Entry) {
	out := newCompressor(x.res, x.r)
	defer out.release()
	rec := x.newRecorder(flight, stale, out)
	defer rec.abandon()
	x.target.function.ServeHTTP(rec, askingFor(x.r, stale))
	entry := rec.finish()
	if entry != nil {
		x.send(entry, cache.Status{Forward: cache.ForwardStale})
		return
	}
	out.close()
	x.res.finishHeader()
}

// askingFor returns the request to which the answer is stored: without the client's preconditions,
// and with those that validate a stored response.
func askingFor(r *http.Request, stale *cache.Entry) *http.Request {
	out := r.WithContext(r.Context())
	out.Header = r.Header.Clone()
	out.Header.Del("If-None-Match")
	out.Header.Del("If-Modified-Since")
	out.Header.Del("If-Range")
	if stale != nil {
		for name, values := range stale.Validators() {
			out.Header[name] = values
		}
	}
	return out
}

// pass sends the request to the function as it is.
func (x *exchange) pass(status cache.Status) {
	x.counters().Passed.Add(1)
	x.res.caching = status.String()
	x.edge.call(x.target.function, x.res, x.r)
}

func (x *exchange) counters() *cache.Counters { return x.site.Cache.Counters() }

// refreshTime is how long a function may take to refresh a response behind the client's back, and
// mostRefreshes how many run at a time.
const (
	refreshTime   = time.Minute
	mostRefreshes = 64
)

// refresh asks the function for a newer response while the client gets the stale one. Only one
// refresh of a response runs at a time.
func (x *exchange) refresh(stale *cache.Entry) {
	e := x.edge
	if e.refreshing.Add(1) > mostRefreshes {
		e.refreshing.Add(-1)
		return
	}
	flight, leads := x.found.Board()
	if leads {
		if entry := x.storedMeanwhile(stale); entry != nil {
			flight.End(cache.Done, entry)
			leads = false
		}
	}
	if !leads {
		e.refreshing.Add(-1)
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), refreshTime)
	behind := x.behind(ctx)
	x.site.enter()
	go func() {
		defer e.refreshing.Add(-1)
		defer x.site.leave()
		defer cancel()
		defer ignoreAbort()
		rec := behind.newRecorder(flight, stale, behind.res)
		defer rec.abandon()
		x.target.function.ServeHTTP(rec, askingFor(behind.r, stale))
		rec.finish()
	}()
}

// behind returns the exchange as a GET that no client waits for.
func (x *exchange) behind(ctx context.Context) *exchange {
	r := x.r.Clone(ctx)
	r.Method, r.Body = http.MethodGet, http.NoBody
	r.Header.Del("Range")
	found := *x.found
	found.Fields = func(name string) string { return requestField(r.Header, name) }
	return &exchange{edge: x.edge, site: x.site, target: x.target, res: newResponse(nowhere{}), r: r, found: &found}
}

// ignoreAbort ends the panic by which a function breaks off an answer: there is no client.
func ignoreAbort() {
	if err := recover(); err != nil && !isAbort(err) {
		panic(err)
	}
}

func isAbort(value any) bool {
	err, ok := value.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// noteRevalidation makes the stored answers invalid after Next.js has rendered a page again for
// res.revalidate() or because its time was over, before the answer says so: those that were made
// from the page, at whatever address, and those of which it is not known from which pages they were made.
// A page that Anchor itself asks for may have been stored even if the answer is an error. Of others only
// an answer that says so proves that the client knew the app's secret.
func (x *exchange) noteRevalidation() {
	rendered := x.res.Header().Get("X-Nextjs-Cache") == "REVALIDATED"
	if x.r.Header["X-Prerender-Revalidate"] == nil || x.res.outside && !rendered {
		return
	}
	switch keys := x.res.trace.keys(); {
	case len(keys) > 0:
		x.site.Cache.InvalidateKeys(keys...)
	case rendered || !x.res.trace.keyed:
		x.site.Cache.Invalidate()
	}
}

// invalidate makes the stored responses of a resource invalid after an unsafe request that did not
// fail, and those that its answer names on the same host (RFC 9111, section 4.4). The client sees
// the answer afterwards.
func (x *exchange) invalidate() {
	if x.r.Method == http.MethodOptions || x.res.status < 200 || x.res.status >= 400 {
		return
	}
	x.site.Cache.InvalidateResource(resourceOf(x.r, x.r.URL.RequestURI()))
	for _, name := range []string{"Location", "Content-Location"} {
		u, err := url.Parse(x.res.Header().Get(name))
		if err != nil || *u == (url.URL{}) {
			continue
		}
		if u.Host == "" || strings.EqualFold(u.Host, x.r.Host) {
			base := url.URL{Path: x.r.URL.Path, RawPath: x.r.URL.RawPath}
			x.site.Cache.InvalidateResource(resourceOf(x.r, base.ResolveReference(u).RequestURI()))
		}
	}
}

// requestDirectives returns the directives of a request's Cache-Control that the cache obeys. They
// are advice (RFC 9111, section 5.2.1). no-cache and max-age are not taken: everyone could send
// them, and make the functions render what is fresh.
func requestDirectives(h http.Header) map[string]bool {
	var found map[string]bool
	for _, line := range h["Cache-Control"] {
		for one := range strings.SplitSeq(line, ",") {
			one = strings.ToLower(strings.TrimSpace(one))
			if one == "only-if-cached" || one == "no-store" {
				if found == nil {
					found = map[string]bool{}
				}
				found[one] = true
			}
		}
	}
	return found
}

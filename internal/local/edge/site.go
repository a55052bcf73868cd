package edge

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
	"github.com/anchor-deploy/anchor/internal/local/edge/meter"
)

// Site answers the requests of a host. Set its fields before it is first published or dispatched
// to, and never change them after; a Site must not be copied.
type Site struct {
	// ID names the site in logs.
	ID string
	// Project is the project of the site. A TLS connection that a client made for one host of a
	// project may carry requests for its other hosts. A site with "" stands alone.
	Project string
	// Slug is the project's name in metrics and in the access log.
	Slug string
	// Header is added to every response of the site (for example X-Anchor-Deployment). Keys are
	// canonical.
	Header http.Header
	// Assets are the static files. May be nil.
	Assets *asset.Index
	// Shared finds hashed files (_next/static) of other builds of the same app, by URL path: a
	// browser that loaded yesterday's page still asks for its chunks. May be nil.
	Shared func(path string) (asset.Asset, *Rule, bool)
	// Rules are what the app's routing says about single files, by percent-decoded URL path. A file
	// without a rule is served as it is.
	Rules map[string]*Rule
	// Routes are the behaviours in match order. "*" is the default whatever its place and is served
	// by Default.
	Routes []Route
	// Default answers requests that match no route and no static file.
	Default http.Handler
	// Middleware runs before the behaviours that MiddlewareRoutes names. May be nil.
	Middleware Middleware
	// MiddlewareRoutes are the patterns, as written in Routes or "*", of the behaviours that have
	// the middleware (OpenNext: behaviors[].edgeFunction). Among the requests for static files,
	// only those whose Rule says Ask run it.
	MiddlewareRoutes []string
	// Cache holds the answers of the site's functions that visitors may share. With nil, all
	// requests go to the functions.
	Cache *cache.Namespace
	// Sharing says what an answer depends on beside the URL.
	Sharing Sharing

	inFlight atomic.Int64
	draining atomic.Pointer[chan struct{}] // receives when nothing is in flight any more
	once     sync.Once
	routes   []Route
	guards   map[string]bool

	hints hints // what browsers load while a page is computed

	decorations sync.Map // of *asset.Decoration, by *Rule
	traffic     *meter.Traffic
	brokenOff   atomic.Int64 // answers that a function has broken off
}

// Route is one behaviour: what answers the paths that match Pattern.
type Route struct {
	// Pattern is a CloudFront path pattern: "*" stands for any run of characters and "?" for one,
	// case counts, and a leading slash may be left out.
	Pattern string
	// Target is the function of this behaviour. Reading a body beyond Config.MaxBodyBytes returns
	// an *http.MaxBytesError; the function should answer 413 then. It should answer 408 when it
	// gets os.ErrDeadlineExceeded, from a client slower than Config.Upload. It must not read the
	// body after it has returned.
	Target http.Handler
	// Bare marks a function that the app's own routing does not run in (next/image): neither its
	// middleware nor the rules of next.config apply to its answers.
	Bare bool
	// Static marks a behaviour of static files; Target is not used. A path without a file goes to
	// the site's Default.
	Static bool
}

// prepareRoutes compiles the routes once, whichever of NewTable and Dispatch comes first.
func (s *Site) prepareRoutes() {
	s.once.Do(func() {
		s.routes = compileRoutes(s.Routes)
		s.traffic = meter.NewTraffic(s.functionNames()...)
		s.guards = make(map[string]bool, len(s.MiddlewareRoutes))
		for _, p := range s.MiddlewareRoutes {
			s.guards[normalPattern(p)] = true
		}
	})
}

func (s *Site) isGuarded(pattern string) bool { return s.guards[pattern] }

// enter counts a request of the site, and leave its end.
func (s *Site) enter() { s.inFlight.Add(1) }

func (s *Site) leave() {
	if s.inFlight.Add(-1) > 0 {
		return
	}
	if idle := s.draining.Load(); idle != nil {
		select {
		case *idle <- struct{}{}:
		default: // a signal waits already
		}
	}
}

// Drain waits until no request of the site is in flight, those of Dispatch included. When ctx ends
// first, it returns the cause. Publish a table without the site before: then nothing enters the site
// after Drain, except by Dispatch, and what answers its requests can be stopped.
func (s *Site) Drain(ctx context.Context) error {
	idle := make(chan struct{}, 1)
	if !s.draining.CompareAndSwap(nil, &idle) {
		idle = *s.draining.Load()
	}
	for s.inFlight.Load() > 0 {
		select {
		case <-idle:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select {
	case idle <- struct{}{}: // for another Drain
	default:
	}
	return nil
}

// target is what a path resolves to: a function, a static file, or neither (a hashed file that
// nobody has).
type target struct {
	function http.Handler
	pattern  string
	bare     bool
	asset    asset.Asset
	rule     *Rule
	found    bool
}

// resolveTarget finds what answers a request. For a file whose rule says Ask, the function decides.
func (s *Site) resolveTarget(method string, u *url.URL) target {
	t := s.locateTarget(method, u)
	if t.function == nil && t.rule != nil && t.rule.Ask {
		t.function, t.pattern = s.fallbackHandler(), defaultPattern
	}
	return t
}

// locateTarget is resolve for a path that the app's rules have already passed.
func (s *Site) locateTarget(method string, u *url.URL) target {
	s.prepareRoutes()
	if t, ok := s.routedTarget(u.Path); ok {
		return t
	}
	if (method == http.MethodGet || method == http.MethodHead) && !hasEncodedSlash(u) {
		if t := s.fileTarget(u.Path); t.found || s.Assets.Hashed(u.Path) {
			return t
		}
	}
	return target{function: s.fallbackHandler(), pattern: defaultPattern}
}

func (s *Site) fallbackHandler() http.Handler {
	if s.Default == nil {
		return noFunction
	}
	return s.Default
}

// fileTarget returns the static file of a percent-decoded path.
func (s *Site) fileTarget(path string) target {
	if a, ok := s.Assets.Lookup(path); ok {
		return target{asset: a, rule: s.Rules[path], found: true}
	}
	if s.Shared == nil || !s.Assets.Hashed(path) {
		return target{}
	}
	a, rule, ok := s.Shared(path)
	return target{asset: a, rule: rule, found: ok}
}

// hasEncodedSlash reports whether a path has an encoded slash. Such a slash does not separate
// segments, so the path names no file. Otherwise a file would have a spelling that the app's rules
// do not know.
func hasEncodedSlash(u *url.URL) bool {
	return u.RawPath != "" && strings.Contains(strings.ToLower(u.RawPath), "%2f")
}

func (s *Site) routedTarget(path string) (target, bool) {
	for i := range s.routes {
		if route := &s.routes[i]; matchesPattern(route.Pattern, path) {
			return target{function: route.Target, pattern: route.Pattern, bare: route.Bare}, !route.Static
		}
	}
	return target{}, false
}

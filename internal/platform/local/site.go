package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/edge"
	"github.com/anchor-deploy/anchor/internal/edge/asset"
	"github.com/anchor-deploy/anchor/internal/isr/awswire"
	"github.com/anchor-deploy/anchor/internal/logs"
	"github.com/anchor-deploy/anchor/internal/worker"
)

// site is one deployment at work: what the edge serves of it and the pools of
// its functions.
type site struct {
	description
	edge  *edge.Site
	pools map[string]*worker.Pool
}

// open brings a deployment's site up and makes it reachable under its own host.
// No process starts before the first request. Opened again, it is as it was.
func (p *Platform) open(d description, env map[string]string) (*site, error) {
	if s := p.site(d.Deployment); s != nil {
		return s, nil
	}
	index, err := p.readIndex(d)
	if err != nil {
		return nil, err
	}
	s := &site{description: d, pools: map[string]*worker.Pool{}}
	for _, f := range d.Build.Functions {
		pool, err := worker.NewPool(p.Node, p.spec(d, f, env))
		if err != nil {
			s.close()
			return nil, fmt.Errorf("prepare function %s: %w", f.Name, err)
		}
		s.pools[f.Name] = pool
	}
	if s.edge, err = s.edgeSite(index); err != nil {
		s.close()
		return nil, err
	}

	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.sites[d.Deployment]; other != nil {
		go s.close()
		return other, nil
	}
	s.edge.Shared = p.shelf(d.Project).find
	p.sites[d.Deployment] = s
	p.publish()
	return s, nil
}

func (s *site) edgeSite(index *asset.Index) (_ *edge.Site, err error) {
	e := &edge.Site{
		ID:      string(s.Deployment),
		Header:  http.Header{"X-Anchor-Deployment": {string(s.Deployment)}},
		Assets:  index,
		Default: s.handler(anchor.ServerFunction),
	}
	for _, r := range s.Build.Routes {
		e.Routes = append(e.Routes, edge.Route{Pattern: r.Pattern, Static: r.Function == "", Target: s.handler(r.Function)})
		if r.Middleware != "" && e.Middleware == nil {
			if e.Middleware, err = s.middleware(r.Middleware); err != nil {
				return nil, err
			}
		}
		if r.Middleware != "" {
			e.MiddlewareRoutes = append(e.MiddlewareRoutes, r.Pattern)
		}
	}
	return e, nil
}

// handler gives the pool of a function as a handler, nil when there is none.
func (s *site) handler(function string) http.Handler {
	if pool := s.pools[function]; pool != nil {
		return pool
	}
	return nil
}

// spec says how a function runs. The server and its split functions share the
// deployment's cache; the image function reads the deployment's public files.
func (p *Platform) spec(d description, f anchor.Function, env map[string]string) worker.Spec {
	spec := worker.Spec{
		Name:    f.Name,
		Dir:     d.Dir + string(os.PathSeparator) + f.Dir,
		Handler: f.Handler,
		Env:     p.environment(d, f, env),
		User:    p.Users.of(d.Project),
		Log:     p.logTo(d, f.Name),
		Tmp:     p.Run,
	}
	switch {
	case f.Edge:
		spec.Event = worker.CloudFrontRequest
	case f.Image:
		spec.Limit = imagesAtOnce
	}
	return spec
}

// imagesAtOnce is how many images one process works on; each takes a core and the
// memory of a decoded picture, and the rest waits in the queue.
const imagesAtOnce = 8

// environment is all that a function sees: the app's variables and, over them,
// those by which OpenNext finds its cache (OPENNEXT.md, Environment).
func (p *Platform) environment(d description, f anchor.Function, app map[string]string) map[string]string {
	env := maps.Clone(app)
	if env == nil {
		env = map[string]string{}
	}
	key := p.wire.keys.Issue(string(d.Deployment))
	if f.Image {
		env = awswire.ImageEnv(p.wire.endpoint, key)
		env["OPENNEXT_STATIC_ETAG"] = "true"
	} else {
		maps.Copy(env, awswire.ServerEnv(p.wire.endpoint, key))
	}
	if f.Edge {
		env["OPEN_NEXT_ORIGIN"] = origins
	}
	env["NODE_ENV"] = "production"
	// Which Node.js there is, is the operator's matter, not a line of each app's log.
	env["AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED"] = "true"
	env["OPEN_NEXT_REQUEST_ID_HEADER"] = "true"
	env["ANCHOR_DEPLOYMENT_ID"] = string(d.Deployment)
	return env
}

// origins is what the middleware's origin resolver (pattern-env) insists on. Which
// it chooses is of no account: the edge routes the URL it gives.
const origins = `{"default":{"host":"default","protocol":"http","port":80}}`

func (p *Platform) logTo(d description, function string) func(worker.Line) {
	return func(l worker.Line) {
		// A log that cannot be written must not stop the app that writes it.
		_ = p.Logs.Append(d.Project, logs.Line{
			Time: l.Time.UnixMilli(), DeploymentID: d.Deployment, Function: function,
			RequestID: l.RequestID, Level: l.Level, Text: l.Text,
		})
	}
}

// warm brings one process of the server function up, and of the middleware in
// front of it.
func (s *site) warm(ctx context.Context) error {
	for _, name := range []string{anchor.ServerFunction, anchor.MiddlewareFunction} {
		if pool := s.pools[name]; pool != nil {
			if err := pool.Warm(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepWarm holds a process of the functions every page needs, or lets all of
// them go when they are idle.
func (s *site) keepWarm(on bool) {
	for _, name := range []string{anchor.ServerFunction, anchor.MiddlewareFunction} {
		if pool := s.pools[name]; pool != nil {
			pool.SetMin(map[bool]int{true: 1}[on])
		}
	}
}

// drain waits until nothing is in flight, at most until ctx ends, and stops the
// functions.
func (s *site) drain(ctx context.Context) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	for _, pool := range s.pools {
		wg.Go(func() {
			err := pool.Drain(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *site) close() {
	for _, pool := range s.pools {
		pool.Close()
	}
}

// Remove takes a deployment away: its host first, then, when its requests have
// ended or the drain limit is over, its functions, cache and files. One that failed
// was nobody's site: what its functions still do is cut off, or a handler that never
// settles would hold up the project's next deployment for the drain limit.
func (p *Platform) Remove(ctx context.Context, d anchor.Deployment) error {
	p.mu.Lock()
	s := p.sites[d.ID]
	delete(p.sites, d.ID)
	p.publish()
	p.mu.Unlock()
	switch {
	case s == nil:
	case d.Status.Ended() && d.Status != anchor.Deployed:
		s.close()
	default:
		limit, cancel := context.WithTimeout(ctx, p.Drain)
		defer cancel()
		if err := s.drain(limit); err != nil && limit.Err() == nil {
			return fmt.Errorf("drain deployment %s: %w", d.ID, err)
		}
	}
	ctx = context.WithoutCancel(ctx) // its functions are stopped; what is left goes quickly
	p.wire.keys.Revoke(string(d.ID))
	p.previews.Drop(string(d.ID))
	if err := p.Cache.Drop(ctx, string(d.ID)); err != nil {
		return err
	}
	if err := p.Bundles.Remove(ctx, d.ID); err != nil {
		return err
	}
	return p.eraseDescription(d.ID)
}

// RemoveProject takes away all a deleted project has left.
func (p *Platform) RemoveProject(ctx context.Context, project anchor.ProjectID) error {
	p.mu.Lock()
	var all []anchor.DeploymentID
	for id, s := range p.sites {
		if s.Project == project {
			all = append(all, id)
		}
	}
	delete(p.lives, project)
	if t := p.cool[project]; t != nil {
		t.Stop()
		delete(p.cool, project)
	}
	p.publish()
	p.mu.Unlock()
	var errs []error
	for _, id := range all {
		errs = append(errs, p.Remove(ctx, anchor.Deployment{ID: id, ProjectID: project}))
	}
	return errors.Join(append(errs, p.Logs.Remove(project))...)
}

// stamp is a time with the resolution that Last-Modified has.
func stamp(ms int64) time.Time { return time.UnixMilli(ms).Truncate(time.Second) }

// Stats tells of the workers of one function.
type Stats struct {
	Deployment anchor.DeploymentID
	Slug       string
	Function   string
	worker.Stats
}

// Stats gives the functions that have a process or a request.
func (p *Platform) Stats() []Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := []Stats{}
	for _, s := range p.sites {
		for name, pool := range s.pools {
			if st := pool.Stats(); st.Processes+st.Starting+st.Queued > 0 {
				all = append(all, Stats{Deployment: s.Deployment, Slug: s.Slug, Function: name, Stats: st})
			}
		}
	}
	return all
}

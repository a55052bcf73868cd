package sites

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// site is one active deployment: what the edge serves of it and the pools of its functions.
type site struct {
	Description
	edge  *edge.Site
	pools map[string]*worker.Pool
	early *prestart // that started the pools; nil: none did
}

// openSite starts a deployment's site and makes it reachable under its own host. No process starts
// before the first request, but for those that Prestart has started. A second open changes nothing.
func (p *Platform) openSite(d Description, env map[string]string) error {
	early := p.prestarts.take(d.Deployment)
	if early != nil && (early.node != p.nodeOf(d) || p.site(d.Deployment) != nil) {
		early.close()
		early = nil
	}
	if p.site(d.Deployment) != nil {
		return nil
	}
	s := &site{Description: d, early: early}
	if err := p.fillSite(s, env); err != nil {
		s.close()
		return err
	}
	if !p.add(s) {
		s.close() // another open was faster
	}
	return nil
}

// fillSite makes the parts of a site. Those of one that fails are the caller's to close.
func (p *Platform) fillSite(s *site, env map[string]string) error {
	d := s.Description
	if s.early != nil {
		s.pools = s.early.pools
	}
	index, err := p.readIndex(d)
	if err != nil {
		return err
	}
	rules, err := p.readRules(d, index)
	if err != nil {
		return err
	}
	if s.pools == nil {
		files := filesForWorkers(d.Build.BasePath, rules.Locales, index.Paths())
		if s.pools, err = p.newPools(d, p.nodeOf(d), env, files); err != nil {
			return err
		}
	}
	if s.edge, err = s.edgeSite(index, rules); err != nil {
		return err
	}
	return p.share(s)
}

// newPools returns a pool for each function of a deployment.
func (p *Platform) newPools(d Description, node worker.Node, env map[string]string, files worker.Files) (_ map[string]*worker.Pool, err error) {
	if err := p.admitProject(d.Project, d.Deployment); err != nil {
		return nil, err
	}
	group, err := p.projectGroup(d.Project)
	if err != nil {
		return nil, fmt.Errorf("limit the project's workers: %w", err)
	}
	pools := map[string]*worker.Pool{}
	split := worker.NewBudget(p.Limits.Processes)
	for _, f := range d.Build.Functions {
		spec := p.workerSpec(d, f, env)
		spec.Group = group
		if !f.Image {
			spec.Files = files
		}
		if isSplit(f) {
			spec.Budget = split
		}
		if pools[f.Name], err = worker.NewPool(node, spec); err != nil {
			delete(pools, f.Name)
			closePools(pools)
			return nil, fmt.Errorf("prepare function %s: %w", f.Name, err)
		}
	}
	return pools, nil
}

// admitProject gives the project's workers access to a deployment's files.
func (p *Platform) admitProject(project anchor.ProjectID, id anchor.DeploymentID) error {
	user := p.Users.userOf(project)
	if user == nil {
		return nil
	}
	return p.Bundles.Admit(context.Background(), id, int(user.GID))
}

// isSplit reports whether a function is one of those that open-next.config.ts splits off the
// server. There may be dozens, of which a visitor needs one: they run on demand, and share a number
// of processes.
func isSplit(f anchor.Function) bool {
	return !f.Image && !f.Edge && f.Name != anchor.ServerFunction
}

func (s *site) edgeSite(index *asset.Index, rules fileRules) (_ *edge.Site, err error) {
	e := &edge.Site{
		ID:      string(s.Deployment),
		Project: string(s.Project),
		Slug:    s.Slug,
		Header:  http.Header{"X-Anchor-Deployment": {string(s.Deployment)}},
		Assets:  index,
		Rules:   rules.forEdge(s.Build.BasePath),
	}
	if s.Build.SkewID != "" {
		e.Header["Vary"] = []string{edge.HeaderSkew} // for caches between the edge and browsers
	}
	e.Default = s.functionHandler(anchor.ServerFunction, e)
	for _, r := range s.Build.Routes {
		e.Routes = append(e.Routes, edge.Route{Pattern: r.Pattern, Static: r.Function == "", Target: s.functionHandler(r.Function, e), Bare: s.isImage(r.Function)})
		if r.Middleware == "" {
			continue
		}
		e.MiddlewareRoutes = append(e.MiddlewareRoutes, r.Pattern)
		if e.Middleware == nil {
			if e.Middleware, err = s.middlewareOf(r.Middleware); err != nil {
				return nil, err
			}
		}
	}
	return e, nil
}

// functionHandler returns the pool of a function of e as a handler, or nil when there is none.
func (s *site) functionHandler(function string, e *edge.Site) http.Handler {
	pool := s.pools[function]
	if pool == nil {
		return nil
	}
	if f, _ := s.Build.Function(function); f.Image {
		return newImages(pool, s.Build.Images, e)
	}
	return pool
}

func (s *site) isImage(function string) bool {
	f, ok := s.Build.Function(function)
	return ok && f.Image
}

// warmSite starts one process of the server function, and of the middleware in front of it.
func (s *site) warmSite(ctx context.Context) error {
	for _, name := range []string{anchor.ServerFunction, anchor.MiddlewareFunction} {
		if pool := s.pools[name]; pool != nil {
			if err := pool.Warm(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// setWarm keeps one process of each function that every page needs, or lets all of them end when
// they are idle.
func (s *site) setWarm(on bool) {
	for _, name := range []string{anchor.ServerFunction, anchor.MiddlewareFunction} {
		if pool := s.pools[name]; pool != nil {
			pool.SetMin(map[bool]int{true: 1}[on])
		}
	}
}

// drainSite waits until nothing is in flight, at most until ctx ends, and stops the functions. The edge
// counts requests that have not reached a function yet: a pool sees none of them, and would end.
func (s *site) drainSite(ctx context.Context) error {
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		errs []error
	)
	if err := s.edge.Drain(ctx); err != nil {
		errs = append(errs, fmt.Errorf("requests of deployment %s: %w", s.Deployment, err))
	}
	for name, pool := range s.pools {
		wg.Go(func() {
			if err := pool.Drain(ctx); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("function %s of deployment %s: %w", name, s.Deployment, err))
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (s *site) close() {
	if s.early != nil {
		s.early.close()
		return
	}
	closePools(s.pools)
}

func closePools(pools map[string]*worker.Pool) {
	for _, pool := range pools {
		pool.Close()
	}
}

// timeStamp returns a time with the resolution of Last-Modified.
func timeStamp(ms int64) time.Time { return time.UnixMilli(ms).Truncate(time.Second) }

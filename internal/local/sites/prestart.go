package sites

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

var _ deploy.Prestarter = (*Platform)(nil)

// prestarts are the functions of deployments that have no site yet.
type prestarts struct {
	mu     sync.Mutex
	all    map[anchor.DeploymentID]*prestart
	closed bool
}

// prestart is the first start of a deployment's functions, which its site takes over.
type prestart struct {
	node  worker.Node
	pools map[string]*worker.Pool
	began time.Time
	stop  context.CancelFunc
	done  chan struct{}

	err  error // when done is closed
	took time.Duration
}

// Prestart implements deploy.Prestarter. Node.js loads a bundle while static files are compressed. It
// does nothing where the runtime of the deployment has to be installed first.
func (p *Platform) Prestart(_ context.Context, a deploy.Artifact) {
	if p.site(a.Deployment.ID) != nil {
		return
	}
	s, err := p.newPrestart(a)
	if err != nil { // which the steps that follow find, too
		slog.Debug("start functions early", "deploymentId", a.Deployment.ID, "error", err)
	}
	if s == nil || p.prestarts.add(a.Deployment.ID, s) {
		return
	}
	s.close()
}

func (p *Platform) newPrestart(a deploy.Artifact) (*prestart, error) {
	d := p.describeArtifact(a)
	var err error
	if d.Runtime, err = opennext.ReadRuntime(os.DirFS(a.Dir), a.Build); err != nil {
		return nil, err
	}
	node, ok := p.installedNode(d)
	if !ok {
		return nil, nil
	}
	rules, err := readFileRules(d)
	if err != nil {
		return nil, err
	}
	files := func(yield func(string) bool) {
		for _, f := range assetFiles(a) {
			if !yield(f.Path) {
				return
			}
		}
	}
	s := &prestart{node: node, began: time.Now(), done: make(chan struct{})}
	if s.pools, err = p.newPools(d, node, a.Env, filesForWorkers(d.Build.BasePath, rules.Locales(), files)); err != nil {
		return nil, err
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	go s.run(ctx, d.Build.Functions)
	return s, nil
}

// run starts what every page needs.
func (s *prestart) run(ctx context.Context, functions []anchor.Function) {
	defer close(s.done)
	var tasks sync.WaitGroup
	errs := make([]error, len(functions))
	for i, f := range functions {
		if !f.Image && !isSplit(f) {
			tasks.Go(func() { errs[i] = s.pools[f.Name].Warm(ctx) })
		}
	}
	tasks.Wait()
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		s.err = errs[i]
	}
	s.took = time.Since(s.began)
}

// await returns when the functions have started, how long that took, and why they have not.
func (s *prestart) await(ctx context.Context) (took time.Duration, err error) {
	select {
	case <-s.done:
		return s.took, s.err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (s *prestart) close() {
	s.stop()
	<-s.done
	closePools(s.pools)
}

// add reports whether it keeps s. The functions of a deployment are started early once.
func (e *prestarts) add(id anchor.DeploymentID, s *prestart) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.all[id] != nil {
		return false
	}
	if e.all == nil {
		e.all = map[anchor.DeploymentID]*prestart{}
	}
	e.all[id] = s
	return true
}

// take returns the early start of a deployment, which the caller has to use or close; nil for none.
func (e *prestarts) take(id anchor.DeploymentID) *prestart {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.all[id]
	delete(e.all, id)
	return s
}

// drop closes the early start of a deployment.
func (e *prestarts) drop(id anchor.DeploymentID) {
	if s := e.take(id); s != nil {
		s.close()
	}
}

func (e *prestarts) closeAll() {
	e.mu.Lock()
	all := e.all
	e.all, e.closed = nil, true
	e.mu.Unlock()
	var tasks sync.WaitGroup
	for _, s := range all {
		tasks.Go(s.close)
	}
	tasks.Wait()
}

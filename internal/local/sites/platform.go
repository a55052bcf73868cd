// Package sites is the platform of one machine: it turns deployments into sites of the edge,
// functions into Node.js workers, and incremental caches into namespaces. It connects engines that
// know nothing of projects.
package sites

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
	"github.com/anchor-deploy/anchor/internal/local/isr"
	"github.com/anchor-deploy/anchor/internal/local/logs"
	"github.com/anchor-deploy/anchor/internal/local/nodejs"
	"github.com/anchor-deploy/anchor/internal/local/worker"
	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// Records are the queries of the platform to the records.
type Records interface {
	// Projects lists all projects.
	Projects(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error)
	// Project returns one project or ErrNotFound.
	Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error)
	// Deployments lists the project's deployments, newest first.
	Deployments(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Deployment], error)
	// Kept returns the project's deployments that can serve, newest first.
	Kept(ctx context.Context, p anchor.ProjectID) ([]anchor.Deployment, error)
	// Removed reports whether the deployment was removed with its project.
	Removed(ctx context.Context, id anchor.DeploymentID) (bool, error)
	// Number returns the deployment's number within its project, the same at every call.
	Number(ctx context.Context, id anchor.DeploymentID) (int64, error)
	// Releases lists the project's moves of the live pointer, newest first.
	Releases(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error)
	// Lives returns the live pointer of every project.
	Lives(ctx context.Context) ([]anchor.Live, error)
	// Deployment returns one deployment or ErrNotFound.
	Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error)
}

// Secrets returns the environment a deployment was locked to.
type Secrets interface {
	Locked(ctx context.Context, d anchor.DeploymentID) (map[string]string, error)
	// Sealed returns the same environment, sealed as in the records.
	Sealed(ctx context.Context, d anchor.DeploymentID) ([]byte, error)
}

// Config holds the settings and parts of a Platform.
type Config struct {
	Dir        string           // of the platform's own files
	Run        string           // of sockets and temporary files; short, as a socket's path has 108 bytes
	BaseDomain string           // sites are <slug>.<base> and <deploymentId>--<slug>.<base>
	Addresses  []netip.Addr     // under which the world reaches this machine
	Node       worker.Node      // runs what Runtimes does not choose for
	Runtimes   *nodejs.Runtimes // nil: Node runs every deployment
	Users      Users
	Walls      jail.Walls
	Groups     *cgroup.Tree  // nil: workers are in Anchor's control group
	Drain      time.Duration // how long a removed deployment's requests may continue
	Warm       time.Duration // how long the previously live deployment keeps a worker
	Tabs       time.Duration // how long open tabs may use it; 0 or less: not at all
	// PreviewIdle is how long a process of a preview stays without requests; 0: as one of any other
	// deployment that is not live, a minute.
	PreviewIdle time.Duration
	ProbeLimit  time.Duration // how long a new version may take to start and answer; 0: 30 s
	Limits      Limits
	// CompileAfter is how long after its probe a deployment's code is compiled for later starts; 0: 2 s.
	CompileAfter time.Duration

	Edge    *edge.Edge
	Cache   *isr.Store
	Pages   *cache.Store // answers that visitors share; nil: none are kept
	Bundles *artifact.Store
	Logs    *logs.Book
	OnLine  func(anchor.ProjectID, anchor.LogLine) // called with each line that an app wrote; may be nil
	Records Records
	Secrets Secrets
}

// Platform implements the ports of deploy and release on one machine.
type Platform struct {
	Config
	*Registry
	wire     *wire
	memory   *asset.Memory
	previews *isr.Queue
	limiting sync.Mutex

	compiling *compiling
	prestarts prestarts
	pointers  *pointerCopies
	shared    sync.Map // *asset.Shared by anchor.ProjectID
}

// assetMemory is how many bytes of small static files the edge serves from memory, for all sites
// together; assetInMemory is the largest single one.
const (
	assetMemory   = 16 << 20
	assetInMemory = 64 << 10
)

// New starts the platform; Close ends it. Restore opens the stored sites.
func New(c Config) (*Platform, error) {
	if err := Folder(c.Dir).makeFolders(); err != nil {
		return nil, err
	}
	c.Limits = c.Limits.withDefaults()
	if c.ProbeLimit <= 0 {
		c.ProbeLimit = 30 * time.Second
	}
	if c.CompileAfter <= 0 {
		c.CompileAfter = compileAfter
	}
	p := &Platform{
		Config:   c,
		Registry: newRegistry(c.BaseDomain, c.Edge, c.Warm),
		memory:   asset.NewMemory(assetMemory, assetInMemory),

		compiling: newCompiling(),
		pointers:  newPointerCopies(Folder(c.Dir)),
	}
	p.tabs = c.Tabs
	c.Cache.Revalidated, c.Cache.Deleted = p.invalidateRows, p.invalidateObject
	p.previews = isr.NewQueue(p.revalidatePage, isr.QueueOptions{})
	w, err := p.serveWire()
	if err != nil {
		return nil, err
	}
	p.wire = w
	return p, nil
}

func (p *Platform) dataFolder() Folder { return Folder(p.Dir) }

// Finish waits until no function has anything in flight, work after its answers included, and stops
// them. When ctx ends first, it cuts the rest off and returns the cause. Stop sending requests
// before you call it.
func (p *Platform) Finish(ctx context.Context) error {
	sites := p.all()
	cut := make(chan error, len(sites))
	for _, s := range sites {
		go func() { cut <- s.drainSite(ctx) }()
	}
	var errs []error
	for range sites {
		errs = append(errs, <-cut)
	}
	return errors.Join(errs...)
}

// Close ends every worker. Requests in flight should have ended before.
func (p *Platform) Close() error {
	p.compiling.stop()
	p.compiling.tasks.Wait()
	p.prestarts.closeAll()
	// The next stale hit asks again for pages that wait for their revalidation.
	soon, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := p.previews.Close(soon); err != nil {
		slog.Warn("end the revalidations under way", "error", err)
	}
	var wg sync.WaitGroup
	for _, s := range p.close() {
		wg.Go(s.close)
	}
	wg.Wait()
	p.pointers.close()
	return p.wire.close()
}

package sites

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// compiling makes the compiled code of deployments in the background, of one at a time.
type compiling struct {
	ctx   context.Context // ends with stop
	stop  context.CancelFunc
	turn  chan struct{} // holds a value while one is compiled
	tasks sync.WaitGroup
}

func newCompiling() *compiling {
	c := &compiling{turn: make(chan struct{}, 1)}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// compileAfter is how long after its probe, or after it went live, a deployment is compiled: the first
// visitors come first.
const compileAfter = 2 * time.Second

func (f Folder) compiledPath(id anchor.DeploymentID) string {
	return f.joinPath("compiled", string(id))
}

// compiledOf is the folder with the compiled code of a function.
func (f Folder) compiledOf(id anchor.DeploymentID, function string) string {
	return filepath.Join(f.compiledPath(id), url.PathEscape(function))
}

// compileLater stores the compiled code of the site's server function, unless it is stored.
func (p *Platform) compileLater(s *site) {
	pool := s.pools[anchor.ServerFunction]
	if pool == nil || p.compiling.ctx.Err() != nil {
		return
	}
	p.compiling.tasks.Go(func() {
		err := p.compileSite(p.compiling.ctx, s, pool)
		if err != nil && p.compiling.ctx.Err() == nil && !errors.Is(err, worker.ErrClosed) && p.site(s.Deployment) == s {
			slog.Warn("store the compiled code of a deployment, whose workers start more slowly without",
				"projectId", s.Project, "deploymentId", s.Deployment, "error", err)
		}
	})
}

// compileSite has a process render the front page, for which it may not use the deployment's cache:
// a page that is stored takes little code to answer, and one that is rendered must not be stored
// once more.
func (p *Platform) compileSite(ctx context.Context, s *site, pool *worker.Pool) error {
	select {
	case <-time.After(p.CompileAfter):
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case p.compiling.turn <- struct{}{}:
		defer func() { <-p.compiling.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	r, err := p.newRequest(ctx, s, http.MethodGet, s.Build.BasePath+"/")
	if err != nil {
		return err
	}
	return pool.Compile(ctx, r)
}

func (p *Platform) dropCompiled(id anchor.DeploymentID) error {
	return os.RemoveAll(p.dataFolder().compiledPath(id))
}

// sweepCompiled removes the compiled code of deployments that have no site.
func (p *Platform) sweepCompiled() error {
	entries, err := os.ReadDir(p.dataFolder().joinPath("compiled"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the compiled code: %w", err)
	}
	for _, e := range entries {
		if id := anchor.DeploymentID(e.Name()); p.site(id) == nil {
			if err := p.dropCompiled(id); err != nil {
				return fmt.Errorf("remove the compiled code of deployment %s: %w", id, err)
			}
		}
	}
	return nil
}

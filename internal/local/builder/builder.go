// Package builder builds pushed commits on this machine and deploys them. A queue decides when; each
// build runs in a folder of its own, as a user of its own, within the walls that the system permits.
package builder

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/local/git"
	"github.com/anchor-deploy/anchor/internal/local/logs"
	"github.com/anchor-deploy/anchor/internal/local/worker"
	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// Records are the queries of the builder to the records.
type Records interface {
	// Project returns one project or ErrNotFound.
	Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error)
	// Deployments returns a page of a project's deployments, newest first.
	Deployments(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Deployment], error)
	// Unfinished returns every deployment that has not ended.
	Unfinished(ctx context.Context) ([]anchor.Deployment, error)
	// Live returns the live pointer of a project, ErrNotFound before the first release.
	Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error)
}

// Env returns the variables of a project that a build in the scope sees.
type Env interface {
	ForBuild(ctx context.Context, p anchor.ProjectID, scope anchor.EnvScope) (map[string]string, error)
}

// Limits bound builds. Zero fields take the defaults named here.
type Limits struct {
	Builds      int           // at a time, of all projects: half of the cores, at least 1
	Timeout     time.Duration // of one build, 20 min
	MemoryBytes int64         // of one build, half of the machine's, at least 1 GiB; enforced where control groups are
	LogBytes    int64         // of one build's output, 4 MiB
	CacheBytes  int64         // of one project's caches, 3 GiB
}

func (l Limits) withDefaults() Limits {
	l.Builds = cmp.Or(max(0, l.Builds), max(1, runtime.NumCPU()/2))
	l.Timeout = cmp.Or(max(0, l.Timeout), 20*time.Minute)
	l.MemoryBytes = cmp.Or(max(0, l.MemoryBytes), max(1<<30, machineMemory()/2))
	l.LogBytes = cmp.Or(max(0, l.LogBytes), 4<<20)
	l.CacheBytes = cmp.Or(max(0, l.CacheBytes), 3<<30)
	return l
}

// Config holds the settings and parts of a Builder.
type Config struct {
	Dir    string // of builds, their caches and logs
	Run    string // of temporary mount points; see sites.Config
	Limits Limits
	Node   worker.Node
	Walls  jail.Walls
	User   func(anchor.ProjectID) *jail.User // of a project's builds; nil: the user that runs Anchor
	Groups *cgroup.Tree                      // nil: builds are in Anchor's control group

	Repositories *git.Store
	Deploys      *deploy.Service
	Records      Records
	Env          Env
	// URLs returns where a project and a deployment can be seen.
	URLs func(p anchor.Project, d anchor.DeploymentID) (site, deployment string)
	// BranchURL returns where the newest preview of a branch can be seen, "" when it has none.
	BranchURL func(p anchor.ProjectID, branch string) string
	// Make makes the OpenNext build of an app and returns its folder. nil: build.Builder.Build.
	Make func(ctx context.Context, b *build.Builder) (tree string, err error)
	Log  *slog.Logger
}

// Builder builds commits. Close ends it.
type Builder struct {
	Config
	logs  *logs.Book
	queue *queue

	ctx     context.Context // ends with Close
	stop    context.CancelCauseFunc
	running sync.WaitGroup

	closeOnce func() error
	jobs      sync.Map // anchor.DeploymentID → *job, of those that have not ended
}

// errStopped is the cause of the end of builds when Anchor stops.
var errStopped = errors.New("the server stopped during the build")

// Open opens the folder of the builds. It ends what an earlier process left there, see Resume.
func Open(c Config) (*Builder, error) {
	c.Limits = c.Limits.withDefaults()
	if c.Make == nil {
		c.Make = func(ctx context.Context, b *build.Builder) (string, error) { return b.Build(ctx) }
	}
	if c.User == nil {
		c.User = func(anchor.ProjectID) *jail.User { return nil }
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	b := &Builder{Config: c}
	// Users of builds pass through these folders; they cannot list them.
	for _, dir := range []string{c.Dir, b.workDir(), b.cacheDir()} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, fmt.Errorf("create the folder of builds: %w", err)
		}
	}
	var err error
	if b.logs, err = logs.Open(filepath.Join(c.Dir, "logs"), 2*logs.MaxFile); err != nil {
		return nil, err
	}
	b.ctx, b.stop = context.WithCancelCause(context.Background())
	b.queue = newQueue(c.Limits.Builds, b.start)
	b.closeOnce = sync.OnceValue(b.close)
	return b, nil
}

func (b *Builder) workDir() string  { return filepath.Join(b.Dir, "work") }
func (b *Builder) cacheDir() string { return filepath.Join(b.Dir, "cache") }

// Resume ends the builds of an earlier process: it was killed, and what it ran ended with it. Their
// commits are kept, so that they can be retried.
func (b *Builder) Resume(ctx context.Context) error {
	unfinished, err := b.Records.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("list unfinished builds: %w", err)
	}
	for _, d := range unfinished {
		if d.Source == anchor.SourcePush && (d.Status == anchor.Queued || d.Status == anchor.Building) {
			b.end(ctx, d, stepBuild, interrupted(d.ID))
		}
	}
	left, err := os.ReadDir(b.workDir())
	for _, entry := range left {
		err = errors.Join(err, os.RemoveAll(filepath.Join(b.workDir(), entry.Name())))
	}
	if err != nil {
		return fmt.Errorf("remove what interrupted builds left: %w", err)
	}
	return nil
}

func interrupted(id anchor.DeploymentID) error {
	return anchor.Failed("build_interrupted", "%s", errStopped).
		Hintf("Push again, or build the commit once more with anchor builds retry %s", id)
}

// Close interrupts the builds that run and waits for them. It may be called again.
func (b *Builder) Close() error { return b.closeOnce() }

func (b *Builder) close() error {
	for _, j := range b.queue.close() {
		close(j.ran)
	}
	b.stop(errStopped)
	b.running.Wait()
	return b.logs.Close()
}

// RemoveProject ends the builds of a project and removes its repository, caches and logs. The records
// know neither the project nor its deployments any more, or know that they have ended.
func (b *Builder) RemoveProject(ctx context.Context, p anchor.ProjectID) error {
	for _, running := range b.jobs.Range {
		j := running.(*job)
		if j.project.ID != p {
			continue
		}
		j.cancel(errEnded)
		j.unwatch()
		select {
		case <-j.done:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return errors.Join(
		b.Repositories.Of(p).Remove(),
		os.RemoveAll(filepath.Join(b.cacheDir(), string(p))),
		b.logs.Remove(p),
	)
}

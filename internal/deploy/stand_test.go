package deploy_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/deploy/queue"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/project/secret"
	"github.com/anchor-deploy/anchor/internal/records/memory"
	"github.com/anchor-deploy/anchor/internal/release"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

// patience bounds waits; it only matters when something is broken.
const patience = 30 * time.Second

// stand is the use-case over records and a platform in memory, which can fail, and
// real bundles.
type stand struct {
	*deploy.Service
	store    *memory.Store
	platform *platformtest.Memory
	bundles  *artifact.Store
	remover  remover
	journal  *journal
	releases *release.Service
	box      *secret.Box
	project  anchor.ProjectID
	before   func(step string)
	keep     int
	passes   chan context.Context // receives the context of each pass, when not nil
	quota    deploy.Quota
	builder  deploy.Builder
	prestart func(deploy.Artifact) // what a platform that starts functions early does; nil: it does not
}

// prestarting is a platform that starts functions early.
type prestarting struct {
	deploy.Platform
	prestart func(deploy.Artifact)
}

func (p prestarting) Prestart(_ context.Context, a deploy.Artifact) { p.prestart(a) }

func newStand(t *testing.T, options ...func(*stand)) *stand {
	t.Helper()
	bundles, err := artifact.Open(t.TempDir())
	must(t, err)
	t.Cleanup(func() { must(t, bundles.Close()) })
	box, err := secret.Open(filepath.Join(t.TempDir(), "key"))
	must(t, err)
	s := &stand{
		store: memory.New(), platform: platformtest.NewMemory(), bundles: bundles, box: box, keep: 10,
		remover: remover{bundles: bundles},
	}
	s.remover.Memory = s.platform
	s.journal = &journal{Journal: s.store, seen: map[anchor.DeploymentID][]anchor.Event{}, more: make(chan struct{})}
	for _, o := range options {
		o(s)
	}
	s.project = s.newProject(t, "shop")
	s.open()
	t.Cleanup(func() { s.Close() })
	return s
}

// open starts the service over the records there are, as a start of Anchor does.
func (s *stand) open() {
	s.releases = release.New(release.Ports{Pointer: s.store, Traffic: s.platform, Records: s.store}, release.Options{})
	var platform deploy.Platform = s.platform
	if s.prestart != nil {
		platform = prestarting{s.platform, s.prestart}
	}
	s.Service = deploy.New(deploy.Ports{
		Projects: s.store, Records: s.store, Journal: s.journal, Bundles: s.bundles,
		Env:      project.NewEnv(project.EnvPorts{Variables: s.store, Box: s.box}, project.EnvOptions{}),
		Platform: platform, Releases: s.releases, Remover: s.remover,
		Retention: release.Retention{Service: s.releases, Shelf: s.store, Remover: s.remover, Keep: s.keep},
		Runner:    runner{queue.New(2), s.passes}, Builder: s.builder,
	}, deploy.Options{Quota: s.quota, BeforeStep: s.before})
}

// runner is the queue. It reports the contexts of the passes that begin.
type runner struct {
	*queue.Queue
	passes chan context.Context
}

func (r runner) Start(ctx context.Context, d anchor.Deployment, pass func(context.Context)) error {
	return r.Queue.Start(ctx, d, func(ctx context.Context) {
		if r.passes != nil {
			r.passes <- ctx
		}
		pass(ctx)
	})
}

func (s *stand) newProject(t *testing.T, slug string) anchor.ProjectID {
	t.Helper()
	id := anchor.ProjectID(anchor.NewID())
	must(t, s.store.CreateProject(t.Context(), anchor.Project{ID: id, Slug: slug}))
	return id
}

// start begins a deployment and sends its files.
func (s *stand) start(t *testing.T, p anchor.ProjectID, change ...func(*deploy.Request)) anchor.DeploymentID {
	t.Helper()
	req, dir := request(t)
	for _, c := range change {
		c(&req)
	}
	started, err := s.Start(t.Context(), p, req)
	must(t, err)
	s.send(t, dir, req.Manifest, started.Missing)
	return started.Deployment.ID
}

var smallApp = platformtest.NewApp("v1")

func request(t *testing.T) (deploy.Request, string) {
	t.Helper()
	dir := smallApp.Write(t)
	manifest, err := artifact.Scan(t.Context(), dir, nil)
	must(t, err)
	return deploy.Request{Manifest: manifest, CommitSha: "c0ffee"}, dir
}

func (s *stand) send(t *testing.T, dir string, m artifact.Manifest, missing []artifact.Digest) {
	t.Helper()
	paths := map[artifact.Digest]artifact.File{}
	for _, f := range m.Files {
		paths[f.Digest] = f
	}
	for _, digest := range missing {
		content, err := os.ReadFile(filepath.Join(dir, paths[digest].Path))
		must(t, err)
		must(t, s.PutFile(t.Context(), s.project, digest, int64(len(content)), bytes.NewReader(content)))
	}
}

// deploy starts and finishes a deployment.
func (s *stand) deploy(t *testing.T, p anchor.ProjectID, change ...func(*deploy.Request)) anchor.DeploymentID {
	t.Helper()
	id := s.start(t, p, change...)
	_, err := s.Finish(t.Context(), p, id)
	must(t, err)
	return id
}

// deployed deploys and waits until it is.
func (s *stand) deployed(t *testing.T, p anchor.ProjectID, change ...func(*deploy.Request)) anchor.DeploymentID {
	t.Helper()
	id := s.deploy(t, p, change...)
	s.wantStatus(t, id, anchor.Deployed)
	return id
}

// wantStatus waits for the deployment's end and returns its record.
func (s *stand) wantStatus(t *testing.T, id anchor.DeploymentID, want anchor.Status) anchor.Deployment {
	t.Helper()
	s.journal.waitEnd(t, id)
	d, err := s.store.Deployment(t.Context(), id)
	must(t, err)
	if d.Status != want {
		t.Fatalf("deployment %s is %s (%s: %s), want %s", id, d.Status, d.ErrorStep, d.ErrorMessage, want)
	}
	return d
}

func (s *stand) wantLive(t *testing.T, p anchor.ProjectID, want anchor.DeploymentID) {
	t.Helper()
	live, err := s.store.Live(t.Context(), p)
	must(t, err)
	if live.Deployment != want {
		t.Errorf("live is %s, want %s", live.Deployment, want)
	}
	if routed := s.platform.Routed(p); routed != want {
		t.Errorf("traffic goes to %s, want %s", routed, want)
	}
}

func noRelease(r *deploy.Request) { r.NoRelease = true }

// remover takes the artifact away too, as platforms do.
type remover struct {
	*platformtest.Memory
	bundles *artifact.Store
}

func (r remover) Remove(ctx context.Context, d anchor.Deployment) error {
	if err := r.Memory.Remove(ctx, d); err != nil {
		return err
	}
	return r.bundles.Remove(ctx, d.ID)
}

// journal lets tests wait for events without reading the records.
type journal struct {
	deploy.Journal
	mu   sync.Mutex
	seen map[anchor.DeploymentID][]anchor.Event
	more chan struct{}
}

func (j *journal) Append(ctx context.Context, e anchor.Event) (anchor.Event, error) {
	stored, err := j.Journal.Append(ctx, e)
	if err == nil {
		e = stored
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.seen[e.DeploymentID] = append(j.seen[e.DeploymentID], e) // a failed append is reported, too
	close(j.more)
	j.more = make(chan struct{})
	return stored, err
}

func (j *journal) events(id anchor.DeploymentID) ([]anchor.Event, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return append([]anchor.Event{}, j.seen[id]...), j.more
}

func (j *journal) wait(t *testing.T, id anchor.DeploymentID, what string, want func(anchor.Event) bool) {
	t.Helper()
	limit := time.After(patience)
	for {
		events, more := j.events(id)
		for _, e := range events {
			if want(e) {
				return
			}
		}
		select {
		case <-more:
		case <-limit:
			t.Fatalf("deployment %s: %s never came; journal: %+v", id, what, events)
		}
	}
}

func (j *journal) waitEnd(t *testing.T, id anchor.DeploymentID) {
	t.Helper()
	j.wait(t, id, "its end", func(e anchor.Event) bool { return e.Phase == anchor.StatusChange && e.Status.Ended() })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what happens after a deployment's end.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("%s: not so", what)
		}
	}
}

// deployTree deploys the OpenNext tree in dir.
func (s *stand) deployTree(t *testing.T, dir string) anchor.DeploymentID {
	t.Helper()
	manifest, err := artifact.Scan(t.Context(), dir, nil)
	must(t, err)
	started, err := s.Start(t.Context(), s.project, deploy.Request{Manifest: manifest})
	must(t, err)
	s.send(t, dir, manifest, started.Missing)
	_, err = s.Finish(t.Context(), s.project, started.Deployment.ID)
	must(t, err)
	return started.Deployment.ID
}

// fullDisk keeps no manifest.
type fullDisk struct{ deploy.Bundles }

func (fullDisk) SaveManifest(context.Context, anchor.DeploymentID, artifact.Manifest) error {
	return errLost
}

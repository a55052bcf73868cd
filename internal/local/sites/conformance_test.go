package sites_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/cache"
	"github.com/anchor-deploy/anchor/internal/local/isr"
	"github.com/anchor-deploy/anchor/internal/local/isr/awswire"
	"github.com/anchor-deploy/anchor/internal/local/logs"
	"github.com/anchor-deploy/anchor/internal/local/sites"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
	"github.com/anchor-deploy/anchor/internal/local/worker"
	"github.com/anchor-deploy/anchor/internal/local/worker/cgroup"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/project/secret"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) {
	// The worker package keeps one thread for starting processes.
	testleak.Main(m, goleak.IgnoreAnyFunction("github.com/anchor-deploy/anchor/internal/local/worker.spawnJobs"))
}

func TestConformance(t *testing.T) {
	platformtest.Run(t, func(t *testing.T) platformtest.Harness {
		t.Parallel()                   // it mostly waits for Node.js
		const probe = 15 * time.Second // for which the test waits: one of its pages never comes
		return installationWith(t, probe).harness()
	})
}

// installation is a machine with the platform on it: real Node.js, SQLite, files and
// an edge behind a socket.
type installation struct {
	dir      string
	run      string // of the sockets and temporary files of workers
	node     worker.Node
	store    *sqlite.Store
	bundles  *artifact.Store
	cache    *isr.Store
	logs     *logs.Book
	env      *project.Env
	edge     *edge.Edge
	platform *sites.Platform
	client   *http.Client
	limits   sites.Limits
	groups   *cgroup.Tree
	probe    time.Duration // limit of a probe; 0 is the platform's own
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	return installationWith(t, 0)
}

func installationWith(t *testing.T, probe time.Duration) *installation {
	t.Helper()
	in := &installation{dir: t.TempDir(), probe: probe}
	var err error
	in.node, err = worker.FindNode(t.Context(), "")
	must(t, err)
	in.store, err = sqlite.Open(t.Context(), filepath.Join(in.dir, "anchor.db"))
	must(t, err)
	t.Cleanup(func() { must(t, in.store.Close()) })
	in.bundles, err = artifact.Open(filepath.Join(in.dir, "artifacts"))
	must(t, err)
	t.Cleanup(func() { must(t, in.bundles.Close()) })
	in.logs, err = logs.Open(filepath.Join(in.dir, "logs"), 2*logs.MaxFile)
	must(t, err)
	t.Cleanup(func() { must(t, in.logs.Close()) })
	box, err := secret.Open(filepath.Join(in.dir, "secret.key"))
	must(t, err)
	in.env = project.NewEnv(project.EnvPorts{Variables: in.store, Box: box}, project.EnvOptions{})
	in.cache, err = isr.Open(filepath.Join(in.dir, "cache"))
	must(t, err)
	t.Cleanup(func() { must(t, in.cache.Close()) })
	in.start(t)
	t.Cleanup(func() { must(t, in.platform.Close()) })
	return in
}

// start opens the platform and a new edge on the existing data.
func (in *installation) start(t *testing.T) {
	t.Helper()
	run, err := os.MkdirTemp("", "anchor-") // short, for the sockets
	must(t, err)
	t.Cleanup(func() { must(t, os.RemoveAll(run)) })
	in.run = run
	in.edge = edge.New(edge.Config{})
	in.platform, err = sites.New(sites.Config{
		Dir: filepath.Join(in.dir, "platform"), Run: run, BaseDomain: "localhost", Node: in.node,
		Drain: time.Minute, Warm: time.Minute, ProbeLimit: in.probe,
		Edge: in.edge, Cache: in.cache, Pages: cache.New(16 << 20), Bundles: in.bundles, Logs: in.logs, Records: in.store, Secrets: in.env,
		Limits: in.limits, Groups: in.groups,
	})
	must(t, err)
	must(t, in.platform.Restore(t.Context()))
	in.serve(t)
}

func (in *installation) serve(t *testing.T) {
	t.Helper()
	front, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	served := make(chan error, 1)
	e := in.edge
	go func() { served <- e.Serve(front) }()
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", front.Addr().String())
	}}
	in.client = &http.Client{Transport: transport}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		must(t, e.Shutdown(context.Background()))
		must(t, <-served)
	})
}

func (in *installation) harness() platformtest.Harness {
	return platformtest.Harness{
		Platform: in.platform, Records: in.store, Bundles: in.bundles, Env: in.env,
		Do:         func(r *http.Request) (*http.Response, error) { return in.client.Transport.RoundTrip(r) },
		ReadCache:  in.readCache,
		WriteCache: in.writeCache,
		Reopen:     in.reopen,
	}
}

func (in *installation) readCache(ctx context.Context, d anchor.DeploymentID, key string) (string, error) {
	o, err := in.cache.Get(ctx, string(d), awswire.SeedKey(key))
	if err != nil {
		return "", err
	}
	defer o.Close()
	content, err := io.ReadAll(o)
	return string(content), err
}

func (in *installation) writeCache(ctx context.Context, d anchor.DeploymentID, key, content string) error {
	_, err := in.cache.Put(ctx, string(d), awswire.SeedKey(key), time.Time{}, strings.NewReader(content))
	return err
}

func (in *installation) reopen(t *testing.T) platformtest.Platform {
	t.Helper()
	must(t, in.platform.Close())
	in.start(t)
	return in.platform
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Package functiontest lets tests run functions on an emulator of Lambda.
package functiontest

import (
	"context"
	_ "embed"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

//go:embed awslambda.cjs
var awslambda string

// Runtime lets emulators run functions in Node.js processes that have the global awslambda of
// Lambda's runtime, which MiniStack 1.5.33 lacks, and that can reach function URLs.
type Runtime struct {
	dir string // of the script that Node.js loads first
}

// scriptName is the name of the script in a Runtime's folder.
const scriptName = "awslambda.cjs"

// NewRuntime writes a runtime into dir, an existing folder.
func NewRuntime(dir string) (Runtime, error) {
	return Runtime{dir}, os.WriteFile(filepath.Join(dir, scriptName), []byte(awslambda), 0o600)
}

// Env returns the variables that an emulator with this runtime is started with.
func (r Runtime) Env() []string { return []string{optionsEnv + "=" + r.options()} }

// optionsEnv contains the options of every Node.js process.
const optionsEnv = "NODE_OPTIONS"

func (r Runtime) options() string { return "--require " + filepath.Join(r.dir, scriptName) }

// Front makes functions on the emulator at endpoint send requests for their site to front, the
// URL of what serves its distributions.
func (r Runtime) Front(t testing.TB, endpoint, front string) {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(r.dir, "front-"+u.Port()), []byte(front), 0o600); err != nil {
		t.Fatal(err)
	}
}

// all is the runtime of every emulator of a package whose tests Main runs.
var all Runtime

// Main runs a package's tests. Every emulator that they start has one Runtime. Call it in
// TestMain.
func Main(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "anchor-functiontest-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if all, err = NewRuntime(dir); err != nil {
		panic(err)
	}
	if err := os.Setenv(optionsEnv, all.options()); err != nil {
		panic(err)
	}
	return m.Run()
}

// Front is Runtime.Front of a package whose tests Main runs.
func Front(t testing.TB, endpoint, front string) {
	t.Helper()
	if all.dir == "" {
		t.Fatal("TestMain does not call functiontest.Main")
	}
	all.Front(t, endpoint, front)
}

// Client returns an HTTP client that connects to the emulator at endpoint for every host, without
// TLS.
func Client(t testing.TB, endpoint string) *http.Client {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{IdleConnTimeout: time.Second, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", u.Host)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: plain{transport}}
}

type plain struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (p plain) RoundTrip(r *http.Request) (*http.Response, error) {
	sent := r.Clone(r.Context())
	sent.URL.Scheme = "http"
	return p.next.RoundTrip(sent)
}

// Leases are leases in memory, which do not expire. Make them with NewLeases.
type Leases struct{ held chan struct{} }

// NewLeases returns leases that nobody holds.
func NewLeases() *Leases { return &Leases{held: make(chan struct{}, 1)} }

// Lease implements function.Leases for one project.
func (l *Leases) Lease(context.Context, anchor.ProjectID, string, time.Duration) (renew, release func(context.Context) error, err error) {
	select {
	case l.held <- struct{}{}:
	default:
		return nil, nil, anchor.Conflict("lease_held", "another process is changing the project")
	}
	renew = func(context.Context) error { return nil }
	release = func(context.Context) error { <-l.held; return nil }
	return renew, release, nil
}

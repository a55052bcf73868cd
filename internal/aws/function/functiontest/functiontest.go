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
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

//go:embed awslambda.cjs
var awslambda string

// Main runs a package's tests. The emulators that they start run functions in Node.js processes
// that have the global awslambda of Lambda's runtime, which MiniStack 1.5.33 lacks, and that can
// reach function URLs. Call it in TestMain.
func Main(m *testing.M) (code int) {
	dir, err := os.MkdirTemp("", "anchor-functiontest-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	options, err := nodeOptions(dir)
	if err != nil {
		panic(err)
	}
	if err := os.Setenv("NODE_OPTIONS", options); err != nil {
		panic(err)
	}
	return m.Run()
}

// Streaming does for one test what Main does for a whole package: emulators that it starts from
// now on run streaming handlers.
func Streaming(t *testing.T) {
	t.Helper()
	options, err := nodeOptions(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NODE_OPTIONS", options)
}

func nodeOptions(dir string) (string, error) {
	path := filepath.Join(dir, "awslambda.cjs")
	return "--require " + path, os.WriteFile(path, []byte(awslambda), 0o600)
}

// Front makes functions on the emulator at endpoint send requests for their site to front, the
// URL of what serves its distributions.
func Front(t testing.TB, endpoint, front string) {
	t.Helper()
	u, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	_, script, ok := strings.Cut(os.Getenv("NODE_OPTIONS"), "--require ")
	if !ok {
		t.Fatal("neither Main nor Streaming was called")
	}
	if err := os.WriteFile(filepath.Join(filepath.Dir(script), "front-"+u.Port()), []byte(front), 0o600); err != nil {
		t.Fatal(err)
	}
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
		return nil, nil, anchor.Conflict("lease_held", "another process works on the project")
	}
	renew = func(context.Context) error { return nil }
	release = func(context.Context) error { <-l.held; return nil }
	return renew, release, nil
}

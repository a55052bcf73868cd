package acme

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/local/edge"
)

// front is an edge on two real ports, with one site for any host that is published.
type front struct {
	plain, tls net.Listener
	edge       *edge.Edge
	manager    atomic.Pointer[Manager] // of the process that runs now
}

// listenFront opens the ports first: the CA has to know them.
func listenFront(t testing.TB) *front {
	t.Helper()
	f := &front{}
	for _, ln := range []*net.Listener{&f.plain, &f.tls} {
		var err error
		if *ln, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

func (f *front) ports(t testing.TB, lifetime uint64) pebbleOptions {
	return pebbleOptions{http: portOf(t, f.plain.Addr()), tls: portOf(t, f.tls.Addr()), lifetime: lifetime}
}

// serve answers with m's certificates and challenges until the test ends, or the next manager takes
// over.
func (f *front) serve(t testing.TB, m *Manager) {
	t.Helper()
	if f.manager.Swap(m) != nil {
		return
	}
	f.edge = edge.New(edge.Config{
		Log: slog.New(slog.DiscardHandler),
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return f.manager.Load().GetCertificate(hello)
		},
		Wrap: func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				f.manager.Load().HTTPChallenge(next).ServeHTTP(w, r)
			})
		},
	})
	served := make(chan error, 2)
	go func() { served <- f.edge.Serve(f.plain) }()
	go func() { served <- f.edge.ServeTLS(f.tls) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := f.edge.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
		for range 2 {
			if err := <-served; err != nil {
				t.Error(err)
			}
		}
	})
}

func (f *front) publish(hosts ...string) {
	sites := map[string]*edge.Site{}
	for _, host := range hosts {
		sites[host] = &edge.Site{ID: host, Default: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintf(w, "hello from %s over %s %s", host, r.Proto, r.Header.Get("X-Forwarded-Proto"))
		})}
	}
	f.edge.Publish(edge.NewTable(sites))
}

// client returns a client that connects to the front whatever the host.
func (f *front) client(t testing.TB, p *pebble) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: p.roots}, ForceAttemptHTTP2: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, f.tls.Addr().String())
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (p *pebble) config(t testing.TB) Config {
	return Config{
		Dir: t.TempDir(), CA: p.directory(), TrustedRoots: p.https, Log: slog.New(slog.DiscardHandler),
		FirstRetry: 50 * time.Millisecond,
	}
}

func open(t testing.TB, cfg Config) *Manager {
	t.Helper()
	m, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func named(name string) anchor.Hostname {
	return anchor.Hostname{ID: "h", ProjectID: "p", Name: name}
}

// ensured calls Ensure until the name's certificate is issued.
func ensured(t testing.TB, m *Manager, name string) domains.Certificate {
	t.Helper()
	return reaches(t, m, name, anchor.CertIssued)
}

func reaches(t testing.TB, m *Manager, name string, want anchor.CertStatus) domains.Certificate {
	t.Helper()
	deadline := time.Now().Add(testPatience)
	for {
		c, err := m.Ensure(t.Context(), named(name))
		if err != nil {
			t.Fatalf("ensure %s: %v", name, err)
		}
		if c.Status == want {
			return c
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is %s, want %s: %s", name, c.Status, want, c.Problem)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func get(t testing.TB, client *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestManager_WholeLife(t *testing.T) {
	t.Parallel()
	const name = "shop.example.com"
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	m := open(t, p.config(t))
	f.serve(t, m)
	f.publish(name)

	first, err := m.Ensure(t.Context(), named(name))
	if err != nil || first.Status != anchor.CertPending {
		t.Fatalf("first Ensure: %+v, %v", first, err)
	}
	c := ensured(t, m, name)
	if c.NotAfter == 0 || c.Problem != "" || c.ARN == "" {
		t.Errorf("issued, but %+v", c)
	}
	resp, body := get(t, f.client(t, p), "https://"+name+"/")
	if want := "hello from shop.example.com over HTTP/2.0 https"; body != want || resp.ProtoMajor != 2 {
		t.Errorf("%s %q, want %q", resp.Proto, body, want)
	}
	if said := curl(t, f, p, name); said != "2 hello from shop.example.com over HTTP/2.0 https" {
		t.Errorf("curl: %q", said)
	}
	if n := p.Orders(); n != 1 {
		t.Errorf("%d orders for one name", n)
	}

	if err := m.Release(t.Context(), named(name)); err != nil {
		t.Fatal(err)
	}
	if _, err := f.client(t, p).Get("https://" + name + "/"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
		t.Errorf("after release: %v, want the alert unrecognized_name", err)
	}
	if err := m.Release(t.Context(), named(name)); err != nil {
		t.Errorf("second release: %v", err)
	}
	left, err := filepath.Glob(filepath.Join(m.cfg.Dir, "*", "*", "*shop*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

// curl fetches the site with curl, which checks the chain against the CA's root.
func curl(t *testing.T, f *front, p *pebble, name string) string {
	t.Helper()
	bin, err := exec.LookPath("curl")
	if err != nil {
		t.Fatalf("this test needs curl: %v", err)
	}
	root := filepath.Join(t.TempDir(), "root.pem")
	if err := os.WriteFile(root, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.root.Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(f.tls.Addr().String())
	out, err := exec.Command(bin, "-sS", "--noproxy", "*", "--cacert", root, "--resolve", name+":"+port+":127.0.0.1",
		"-w", "\n%{http_version}", "https://"+name+":"+port+"/").CombinedOutput()
	if err != nil {
		t.Fatalf("curl: %v\n%s", err, out)
	}
	body, version, _ := strings.Cut(string(out), "\n")
	return version + " " + body
}

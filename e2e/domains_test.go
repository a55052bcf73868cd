package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/domains/dnscheck/dnstest"
	"github.com/anchor-deploy/anchor/internal/local/acme/acmetest"
	"github.com/anchor-deploy/anchor/internal/testport"
)

// world is the environment of an Anchor with custom domains: a DNS, and a CA that queries that
// DNS.
type world struct {
	dns       *dnstest.Server
	directory string         // URL of the CA
	apiRoots  string         // PEM file of the CA's own HTTPS
	roots     *x509.CertPool // of what it issues
	rootPEM   string         // the same, a file for curl
	orders    func() int     // that the CA has made
	http, tls string         // addresses that Anchor listens on
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{dns: dnstest.Start(t), http: testport.Address(t), tls: testport.Address(t)}
	ca := acmetest.Start(t, acmetest.Options{
		HTTP: portOf(w.http), TLS: portOf(w.tls), Resolver: w.dns.Addr(),
	})
	w.orders = ca.Orders
	w.directory = ca.URL + "/dir"
	w.apiRoots = writePEM(t, "api.pem", ca.Certificate().Raw)
	root, _ := pem.Decode(ca.RootPEM)
	w.rootPEM = writePEM(t, "root.pem", root.Bytes)
	w.roots = x509.NewCertPool()
	w.roots.AppendCertsFromPEM(ca.RootPEM)
	return w
}

func writePEM(t *testing.T, name string, der []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func portOf(address string) int {
	_, port, _ := net.SplitHostPort(address)
	n, _ := strconv.Atoi(port)
	return n
}

// flags returns the flags of `anchor up` in this world.
func (w *world) flags() []string {
	return []string{"--https", w.tls, "--acme-ca", w.directory, "--acme-roots", w.apiRoots,
		"--resolver", w.dns.Addr(), "--public-ip", "127.0.0.1"}
}

// visitor returns a client that reaches every name over TLS at this Anchor, like a browser that
// trusts the CA.
func (w *world) visitor() *http.Client {
	return &http.Client{
		Timeout:       2 * time.Minute, // after a crash all functions start at once
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: w.roots},
			ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				to := w.tls
				if strings.HasSuffix(address, ":80") {
					to = w.http
				}
				return (&net.Dialer{}).DialContext(ctx, network, to)
			},
		},
	}
}

func (w *world) get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	res, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(body)
}

// domain is a domain in the API's answers.
type domain struct {
	DomainID, Domain, Status, Problem string
	IsActive                          bool
	Diagnosis                         struct {
		OK     bool
		Checks []struct{ State, Detail string }
	}
}

func (a *anchor) domain(t *testing.T, project, name string) (d domain) {
	t.Helper()
	if code, err := a.call("POST", "/projects/"+project+"/domains/"+name+"/check", nil, &d); code != 200 || err != nil {
		t.Fatalf("check %s: %d %v", name, code, err)
	}
	return d
}

func (a *anchor) active(t *testing.T, project, name string) {
	t.Helper()
	var last domain
	deadline := time.Now().Add(5 * time.Minute) // a second try comes after one
	for last = a.domain(t, project, name); !last.IsActive; last = a.domain(t, project, name) {
		if time.Now().After(deadline) {
			t.Fatalf("%s is not active: %+v", name, last)
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// TestDomains follows custom domains against a real CA: wrong DNS, right DNS, a certificate,
// HTTPS, a second name, a move, a crash, the removal.
func TestDomains(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	a := upAt(t, w.http, w.flags()...)
	a.deploy(variant(t, 1), "shop")
	a.deploy(variant(t, 2), "other")
	const name, second = "shop.example.com", "www.example.net"
	visitor := w.visitor()

	out, errs, code := a.run("domains", "add", name, "--project", "shop")
	if code != 0 || !strings.Contains(out, "127.0.0.1") {
		t.Fatalf("domains add ended with %d: %s%s", code, out, errs)
	}
	t.Run("wrong DNS is diagnosed", func(t *testing.T) {
		w.dns.Set(name, "A", 60, "192.0.2.7")
		eventually(t, "the wrong address is told", func() bool { // a DNS too busy to answer is reported first
			d := a.domain(t, "shop", name)
			if d.IsActive || d.Diagnosis.OK {
				t.Fatalf("%+v", d)
			}
			checks := d.Diagnosis.Checks
			return len(checks) > 0 && checks[0].State == "wrong" && strings.Contains(checks[0].Detail, "192.0.2.7")
		})
		if n := w.orders(); n != 0 {
			t.Errorf("%d certificates were ordered before the DNS was right", n)
		}
	})
	t.Run("right DNS brings the certificate and the site", func(t *testing.T) {
		w.dns.Set(name, "A", 60, "127.0.0.1")
		a.active(t, "shop", name)
		res, body := w.get(t, visitor, "https://"+name+"/dynamic")
		if res.StatusCode != 200 || !strings.Contains(body, Label) || res.ProtoMajor != 2 {
			t.Errorf("status %d, HTTP/%d", res.StatusCode, res.ProtoMajor)
		}
		res, _ = w.get(t, visitor, "http://"+name+"/cart?x=1")
		if to := res.Header.Get("Location"); res.StatusCode != 308 || !strings.HasPrefix(to, "https://"+name) || !strings.HasSuffix(to, "/cart?x=1") {
			t.Errorf("plain HTTP: %d to %q", res.StatusCode, to)
		}
		curl := exec.Command("curl", "-sS", "--cacert", w.rootPEM, "--connect-to", name+":443:"+w.tls, "https://"+name+"/api/echo")
		if text, err := curl.CombinedOutput(); err != nil || !strings.Contains(string(text), `"x-forwarded-proto":"https"`) {
			t.Errorf("curl: %v\n%s", err, text)
		}
	})
	t.Run("a name belongs to one project", func(t *testing.T) {
		if code, err := a.call("POST", "/projects/other/domains", map[string]string{"domain": name}, nil); code != 409 || err != nil {
			t.Errorf("%d %v", code, err)
		}
	})

	stop, faults := w.knock(name)
	t.Run("a second name and its end do not disturb the first", func(t *testing.T) {
		w.dns.Set(second, "A", 60, "127.0.0.1")
		if _, errs, code := a.run("domains", "add", second, "--project", "other"); code != 0 {
			t.Fatal(errs)
		}
		a.active(t, "other", second)
		if _, body := w.get(t, visitor, "https://"+second+"/dynamic"); !strings.Contains(body, LabelOf(2)) {
			t.Errorf("the second name shows another site")
		}
	})
	t.Run("a move is one step", func(t *testing.T) {
		if _, errs, code := a.run("domains", "move", name, "--to", "other", "--project", "shop"); code != 0 {
			t.Fatal(errs)
		}
		if _, body := w.get(t, visitor, "https://"+name+"/dynamic"); !strings.Contains(body, LabelOf(2)) {
			t.Error("the moved name shows the old project")
		}
	})
	close(stop)
	if n := <-faults; n != nil {
		t.Errorf("a visitor of %s met: %v", name, n)
	}

	t.Run("settings change at once", func(t *testing.T) {
		if _, errs, code := a.run("domains", "set", second, "--hsts", "--project", "other"); code != 0 {
			t.Fatal(errs)
		}
		if res, _ := w.get(t, visitor, "https://"+second+"/dynamic"); res.Header.Get("Strict-Transport-Security") == "" {
			t.Error("there is no HSTS")
		}
		if _, errs, code := a.run("domains", "set", second, "--redirect-to", name, "--hsts=false", "--project", "other"); code != 0 {
			t.Fatal(errs)
		}
		res, _ := w.get(t, visitor, "https://"+second+"/dynamic?x=1")
		if to := res.Header.Get("Location"); res.StatusCode != 308 || to != "https://"+name+"/dynamic?x=1" || res.Header.Get("Strict-Transport-Security") != "" {
			t.Errorf("it answers %d to %q", res.StatusCode, to)
		}
		if _, errs, code := a.run("domains", "set", second, "--serve", "--project", "other"); code != 0 {
			t.Fatal(errs)
		}
		if _, errs, code := a.run("domains", "set", second, "--project", "other"); code != 2 || !strings.Contains(errs, "--redirect-to") {
			t.Errorf("without a change it ends with %d: %s", code, errs)
		}
	})
	t.Run("a crash loses nothing and orders nothing twice", func(t *testing.T) {
		before := w.orders()
		a.kill()
		a.start()
		for _, n := range []string{name, second} {
			if res, _ := w.get(t, w.visitor(), "https://"+n+"/dynamic"); res.StatusCode != 200 {
				t.Errorf("%s answers %d", n, res.StatusCode)
			}
		}
		if after := w.orders(); after != before {
			t.Errorf("%d orders became %d", before, after)
		}
	})
	t.Run("a removed name is no longer served", func(t *testing.T) {
		if _, errs, code := a.run("domains", "rm", name, "--project", "other", "--yes"); code != 0 {
			t.Fatal(errs)
		}
		eventually(t, "the handshake is refused", func() bool {
			c := w.visitor()
			defer c.CloseIdleConnections()
			res, err := c.Get("https://" + name + "/")
			if err == nil {
				res.Body.Close()
			}
			return err != nil
		})
		if res, _ := w.get(t, visitor, "https://"+second+"/dynamic"); res.StatusCode != 200 {
			t.Errorf("the other name answers %d", res.StatusCode)
		}
	})
}

// knock requests a page repeatedly until stop is closed, and sends the first fault.
func (w *world) knock(name string) (stop chan struct{}, fault chan error) {
	stop, fault = make(chan struct{}), make(chan error, 1)
	go func() {
		c := w.visitor()
		defer c.CloseIdleConnections()
		for {
			select {
			case <-stop:
				fault <- nil
				return
			case <-time.After(20 * time.Millisecond):
			}
			res, err := c.Get("https://" + name + "/robots.txt")
			if err == nil {
				if res.StatusCode != 200 {
					err = errors.New(res.Status)
				}
				res.Body.Close()
			}
			if err != nil {
				fault <- err
				return
			}
		}
	}()
	return stop, fault
}

// TestFallbackCA: the second CA issues a certificate while the first is unreachable.
func TestFallbackCA(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const name = "shop.example.com"
	w.dns.Set(name, "A", 60, "127.0.0.1")
	a := upAt(t, w.http, append(w.flags(), "--acme-ca", "https://127.0.0.1:1/dir", "--acme-fallback", w.directory)...)
	a.deploy(variant(t, 1), "shop")
	if _, errs, code := a.run("domains", "add", name, "--project", "shop"); code != 0 {
		t.Fatal(errs)
	}
	a.active(t, "shop", name)
	if res, _ := w.get(t, w.visitor(), "https://"+name+"/dynamic"); res.StatusCode != 200 {
		t.Errorf("it answers %d", res.StatusCode)
	}
}

// TestLocalHTTPS checks *.localhost over TLS, with certificates of Anchor's own CA.
func TestLocalHTTPS(t *testing.T) {
	t.Parallel()
	w := &world{tls: testport.Address(t)}
	a := up(t, "--https", w.tls)
	a.deploy(variant(t, 1), "shop")
	root, err := os.ReadFile(filepath.Join(a.data, "localca", "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	w.roots = x509.NewCertPool()
	w.roots.AppendCertsFromPEM(root)
	res, body := w.get(t, w.visitor(), "https://shop.localhost/dynamic")
	if res.StatusCode != 200 || res.ProtoMajor != 2 || !strings.Contains(body, Label) {
		t.Errorf("status %d over HTTP/%d", res.StatusCode, res.ProtoMajor)
	}
	if _, err := w.visitor().Get("https://nobody.example.com/"); err == nil {
		t.Error("a name that is nobody's has a certificate")
	}
}

// TestBaseDomainOverHTTPS checks that all sites below a base domain have one wildcard
// certificate, validated by a DNS hook.
func TestBaseDomainOverHTTPS(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	provider := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		values := []string{r.FormValue("value")}
		if r.FormValue("action") == "cleanup" {
			values = nil
		}
		w.dns.Set(r.FormValue("name"), r.FormValue("type"), 1, values...)
	}))
	t.Cleanup(provider.Close)
	hook := filepath.Join(t.TempDir(), "hook")
	script := `#!/bin/sh
exec curl -sSf -d "action=$1" -d "name=$ANCHOR_DNS_NAME" -d "type=$ANCHOR_DNS_TYPE" --data-urlencode "value=$ANCHOR_DNS_VALUE" ` + provider.URL + "\n"
	if err := os.WriteFile(hook, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	const base = "apps.example.org"
	a := upAt(t, w.http, append(w.flags(), "--base-domain", base, "--acme-dns-hook", hook)...)
	done := a.deploy(variant(t, 1), "shop")

	type check struct {
		Name string
		OK   bool
	}
	var doctor struct{ Items []check }
	eventually(t, "the wildcard's certificate is issued", func() bool {
		if code, err := a.call("GET", "/doctor", nil, &doctor); code != 200 || err != nil {
			t.Fatal(code, err)
		}
		return slices.Contains(doctor.Items, check{"HTTPS of sites", true})
	})
	for _, host := range []string{"shop." + base, done.DeploymentID + "--shop." + base} {
		res, body := w.get(t, w.visitor(), "https://"+host+"/dynamic")
		if res.StatusCode != 200 || !strings.Contains(body, LabelOf(1)) {
			t.Errorf("https://%s answers %d", host, res.StatusCode)
		}
	}
	var shop struct{ URL string }
	if _, err := a.call("GET", "/projects/shop", nil, &shop); err != nil || !strings.HasPrefix(shop.URL, "https://shop."+base) {
		t.Errorf("the site's URL is %q, %v", shop.URL, err)
	}
	if n := w.orders(); n != 1 {
		t.Errorf("%d certificates were ordered", n)
	}
}

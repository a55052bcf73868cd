package server_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// adminDomain is a name below localhost, for which the server has a CA.
const adminDomain = "console.localhost"

func withAdmin(c *server.Config) { c.AdminDomain, c.HTTPS.Listen = adminDomain, "127.0.0.1:0" }

// roots returns the file with the CA of *.localhost.
func (f *pushFixture) roots() string { return filepath.Join(f.ready.Data, "localca", "root.pem") }

// ask requests a URL at a port of this machine, with a name for the TLS handshake, and returns
// status and body.
func (f *pushFixture) ask(at, host, serverName, token string) (int, string) {
	f.Helper()
	pem, err := os.ReadFile(f.roots())
	if err != nil {
		f.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	u, err := url.Parse(at)
	if err != nil {
		f.Fatal(err)
	}
	u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	req, err := http.NewRequestWithContext(f.Context(), http.MethodGet, u.String(), http.NoBody)
	if err != nil {
		f.Fatal(err)
	}
	req.Host = host
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: pool, ServerName: serverName, MinVersion: tls.VersionTLS12},
	}}
	res, err := client.Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		f.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestAdminDomain_ServesTheAPIAndGitOverHTTPSOnly(t *testing.T) {
	f := newPushFixture(t, withAdmin)
	if !strings.HasPrefix(f.ready.Admin, "https://"+adminDomain+":") {
		t.Fatalf("the admin URL is %q", f.ready.Admin)
	}
	f.app("one")
	remote := strings.Replace(f.ready.Admin, "https://", "https://git:"+f.token+"@", 1) + "/git/shop.git"
	port := f.ready.Admin[strings.LastIndex(f.ready.Admin, ":")+1:]
	t.Setenv("GIT_SSL_CAINFO", f.roots())
	out := f.git("-c", "http.curloptResolve="+adminDomain+":"+port+":127.0.0.1", "push", remote, "main")
	live := siteURL(t, out, "Live")

	if code, body := f.ask(f.ready.Admin+"/status", adminDomain, adminDomain, f.token); code != http.StatusOK || !strings.Contains(body, `"platform":"local"`) {
		t.Errorf("the API answers %d %s", code, body)
	}
	if code, _ := f.ask(f.ready.Admin+"/status", adminDomain, adminDomain, ""); code != http.StatusUnauthorized {
		t.Errorf("without a token the API answers %d", code)
	}
	// A connection that was made for a site is none for the API.
	if code, _ := f.ask(f.ready.Admin+"/status", adminDomain, "shop.localhost", f.token); code == http.StatusOK {
		t.Error("the API answers on a connection for another name")
	}
	if code, body := f.ask(live+"/status", adminDomain, "", f.token); code != http.StatusForbidden || !strings.Contains(body, "https://"+adminDomain) {
		t.Errorf("over plain HTTP the answer is %d %s", code, body)
	}
	if code, body := f.ask(live+"/", "shop.localhost", "", ""); code != http.StatusOK || !strings.Contains(body, "one") {
		t.Errorf("the site answers %d %s", code, body)
	}
	if code, body := f.ask(live+"/openapi.json", "shop.localhost", "", ""); code == http.StatusOK && strings.Contains(body, "openapi") {
		t.Error("the API answers on the name of a site")
	}
}

// TestAdminDomain_IsNoSites covers a project whose site would have the name.
func TestAdminDomain_IsNoSites(t *testing.T) {
	f := newPushFixture(t, withAdmin)
	if _, err := f.api.CreateProject(t.Context(), "console", "main"); err != nil {
		t.Fatal(err)
	}
	f.git("remote", "set-url", "anchor", strings.Replace(f.remote(f.token), "shop.git", "console.git", 1))
	f.app("one")
	own := siteURL(t, f.push("main"), "Deployment")
	host := strings.TrimPrefix(own, "http://")
	for range 2 { // from then on the edge answers from memory, ahead of net/http
		if code, body := f.ask(own+"/public.txt", host, "", ""); code != http.StatusOK {
			t.Fatalf("the deployment answers %d %s", code, body)
		}
	}
	if code, body := f.ask(f.ready.Admin+"/", adminDomain, adminDomain, ""); code != http.StatusOK || !strings.Contains(body, "Sign in to Anchor") {
		t.Errorf("/: the admin domain answers %d %s", code, body)
	}
	for _, path := range []string{"/public.txt", "/_next/static/chunks/one.js"} {
		code, body := f.ask(f.ready.Admin+path, adminDomain, adminDomain, "")
		if code != http.StatusNotFound || !strings.Contains(body, "no_such_route") {
			t.Errorf("%s: the admin domain answers %d %s", path, code, body)
		}
	}
}

func TestAdminDomain_CannotBeAttached(t *testing.T) {
	f := newPushFixture(t, func(c *server.Config) {
		c.AdminDomain, c.TrustProxies, c.HTTPS.Resolvers = "anchor.example.com", []string{"127.0.0.1"}, []string{"127.0.0.1:1"}
	})
	if f.ready.Admin != "https://anchor.example.com" {
		t.Errorf("the admin URL is %q", f.ready.Admin)
	}
	for _, name := range []string{"anchor.example.com", "ANCHOR.example.com", "*.example.com"} {
		if _, err := f.api.AddDomain(t.Context(), "shop", wire.AddDomain{Domain: name}); anchor.KindOf(err) != anchor.KindInvalid {
			t.Errorf("attaching %s: %v", name, err)
		}
	}
}

func TestAdminDomain_Refused(t *testing.T) {
	c := config(t, t.TempDir())
	c.AdminDomain = "anchor.example.com"
	wantRefused(t, c, anchor.KindInvalid, "admin_needs_https")
	c.HTTPS.Listen = "127.0.0.1:0"
	for _, name := range []string{"localhost", "*.example.com", "no name", "127.0.0.1", "single"} {
		c.AdminDomain = name
		wantRefused(t, c, anchor.KindInvalid, "bad_admin_domain")
	}
}

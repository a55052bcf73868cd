package server

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/core"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/domains/dnscheck"
	"github.com/anchor-deploy/anchor/internal/local/acme"
)

// HTTPS is the part of Config about custom domains. Without Listen nothing is served over TLS and
// domains wait.
type HTTPS struct {
	Listen    string   // host:port, ":443"
	NoHTTP3   bool     // do not open the UDP port of that number
	Email     string   // contact of the ACME account
	CA        string   // URL of an ACME directory; Let's Encrypt when empty
	Fallback  string   // URL of the directory that is asked when CA itself fails; "" for none
	Staging   bool     // Let's Encrypt's staging CA
	CARoots   string   // PEM file of the roots of CA's own HTTPS; the system's when empty, and for Fallback beside them
	DNSHook   string   // program that sets _acme-challenge records, for wildcards
	Resolvers []string // host:port of DNS servers; the system's when empty
	Addresses []string // public IP addresses of this machine; its interfaces' when empty
}

// openACME starts the certificate manager when HTTPS is configured.
func (a *app) openACME() error {
	if a.HTTPS.Listen == "" {
		return nil
	}
	roots, err := a.HTTPS.rootPool()
	if err != nil {
		return err
	}
	a.certs, err = acme.New(acme.Config{
		Dir: filepath.Join(a.Data, "acme"), Email: a.HTTPS.Email, CA: a.HTTPS.CA, FallbackCA: a.HTTPS.Fallback, Staging: a.HTTPS.Staging,
		TrustedRoots: roots, DNS01: a.HTTPS.DNSHook, Resolvers: a.HTTPS.Resolvers,
		Changed: a.certificateChanged, Log: a.Log,
	})
	if err != nil {
		return err
	}
	a.onClose(func() error { a.certs.Close(); return nil })
	if isLocal(a.BaseDomain) {
		a.localCA, err = acme.OpenLocalCA(filepath.Join(a.Data, localCADir), a.BaseDomain)
	}
	return err
}

// localCADir is the folder, in the data folder, of the CA for *.localhost.
const localCADir = "localca"

func isLocal(domain string) bool {
	return domain == "localhost" || strings.HasSuffix(domain, ".localhost")
}

// Trust adds the root of the CA for *.localhost to the system's store, or removes it, and reports
// what the system's store does not reach. data is the data folder of an Anchor that was started
// with HTTPS.
func Trust(ctx context.Context, data string, install bool) (root, browsers string, err error) {
	root = filepath.Join(data, localCADir, "root.pem")
	if _, err := os.Stat(root); err != nil {
		return "", "", anchor.Invalid("no_local_ca", "the data folder %s has no CA for *.localhost", data).
			Hintf("Start the server with HTTPS once, which creates the CA: anchor up --https 127.0.0.1:3443").Because(err)
	}
	trust := acme.TrustOf(root)
	if install {
		return root, trust.Browsers(), trust.Install(ctx)
	}
	return root, "", trust.Uninstall(ctx)
}

func (h HTTPS) rootPool() (*x509.CertPool, error) {
	if h.CARoots == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(h.CARoots)
	if err != nil {
		return nil, anchor.Invalid("bad_roots", "cannot read --acme-roots").Hintf("Pass a PEM file with root certificates.").Because(err)
	}
	pool := x509.NewCertPool()
	if h.Fallback != "" { // usually a public one, beside one that is not
		if pool, err = x509.SystemCertPool(); err != nil {
			return nil, fmt.Errorf("read the system's root certificates for --acme-fallback: %w", err)
		}
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, anchor.Invalid("bad_roots", "--acme-roots %s contains no certificate", h.CARoots).Hintf("Pass a PEM file with root certificates.")
	}
	return pool, nil
}

// certificateChanged queues a name for lookAtChanged. acme calls it from its own goroutines, even
// before the use-case exists, and it must not wait: a name that finds no room is checked when it is
// due.
func (a *app) certificateChanged(name string) {
	select {
	case a.changed <- name:
	default:
	}
}

// lookAtChanged makes the reconciler check names whose certificate changed at once, until ctx ends.
func (a *app) lookAtChanged(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case name := <-a.changed:
			h, err := a.store.HostnameByName(ctx, name)
			if err == nil {
				_, err = a.core.Domains.Check(ctx, h.ProjectID, name)
			}
			if err != nil && ctx.Err() == nil && !errors.Is(err, anchor.ErrNotFound) {
				a.Log.Warn("check a domain after its certificate changed", "domain", name, "error", err)
			}
		}
	}
}

// domainParts returns the parts that custom domains work with.
func (a *app) domainParts() *core.Domains {
	d := &core.Domains{
		Front:        a.platform,
		Resolver:     dnscheck.New(dnscheck.Config{Resolvers: a.HTTPS.Resolvers, Log: a.Log}),
		Certificates: noTLS{},
		Reserved:     a.admin.name,
	}
	if a.certs != nil {
		d.Certificates = a.certs
	}
	return d
}

// getCertificate returns nil without HTTPS.
func (a *app) getCertificate() func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if a.certs == nil {
		return nil
	}
	if a.localCA == nil {
		return a.certs.GetCertificate
	}
	return acme.First(a.certs.GetCertificate, a.localCA.GetCertificate)
}

// noTLS stands in for the certificates of an Anchor that serves no HTTPS.
type noTLS struct{}

const noTLSProblem = "The server does not serve HTTPS. Start it with anchor up --https :443"

func (noTLS) Ensure(context.Context, anchor.Hostname) (domains.Certificate, error) {
	return domains.Certificate{Status: anchor.CertPending, Problem: noTLSProblem}, nil
}

func (noTLS) Import(context.Context, anchor.Hostname, []byte, []byte) (domains.Certificate, error) {
	return domains.Certificate{}, anchor.Conflict("no_https", "the server does not serve HTTPS").Hintf("Start it with: anchor up --https :443")
}

func (noTLS) Release(context.Context, anchor.Hostname) error { return nil }

// Issuers returns those of the default CA, so that a CAA record that forbids it is found before
// HTTPS is switched on.
func (noTLS) Issuers() []string { return []string{acme.LetsEncrypt} }

func (noTLS) NeedsRecord() bool { return false }

// publicAddresses returns the addresses at which the world reaches this machine: the configured ones,
// else the global ones of its interfaces, else all but loopback, else loopback.
func (h HTTPS) publicAddresses() ([]netip.Addr, error) {
	var told []netip.Addr
	for _, text := range h.Addresses {
		addr, err := netip.ParseAddr(text)
		if err != nil {
			return nil, anchor.Invalid("bad_address", "--public-ip is %q, which is not an IP address", text).
				Hintf("Pass the public IP address of this server, to which custom domains should point.")
		}
		told = append(told, addr.Unmap())
	}
	if len(told) > 0 {
		return told, nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("read the addresses of this machine: %w", err)
	}
	var public, private []netip.Addr
	for _, one := range all {
		prefix, err := netip.ParsePrefix(one.String())
		addr := prefix.Addr().Unmap()
		switch {
		case err != nil || !addr.IsGlobalUnicast():
		case addr.IsPrivate():
			private = append(private, addr)
		default:
			public = append(public, addr)
		}
	}
	if len(public) > 0 {
		return public, nil
	}
	if len(private) > 0 {
		return private, nil
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

package server

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// adminName is the name on which the API and Git are served through the edge.
type adminName struct {
	name    string                 // "": they are not
	problem atomic.Pointer[string] // why there is no certificate; nil or "" when there is one
}

// openAdmin checks Config.AdminDomain.
func (a *app) openAdmin() error {
	if a.AdminDomain == "" {
		return nil
	}
	name, err := domains.Parse(a.AdminDomain)
	if err == nil && strings.HasPrefix(name.ASCII, "*.") {
		err = anchor.Invalid("bad_domain", "%q is a wildcard", a.AdminDomain)
	}
	if isLocal(a.AdminDomain) {
		name.ASCII, err = strings.ToLower(a.AdminDomain), nil // for tests of a server on this machine
	}
	if err == nil && name.ASCII == a.BaseDomain {
		err = anchor.Invalid("bad_domain", "%q is the base domain of the sites", a.AdminDomain)
	}
	if err != nil {
		return anchor.Invalid("bad_admin_domain", "--admin-domain is %q, which cannot be used", a.AdminDomain).Because(err).
			Hintf("Pass a host name that no site has, for example anchor.example.com.")
	}
	if a.HTTPS.Listen == "" && len(a.TrustProxies) == 0 {
		return anchor.Invalid("admin_needs_https", "--admin-domain serves the API over HTTPS only, and this server has no HTTPS").
			Hintf("Add --https :443, or --trust-proxy ADDRESS if a proxy in front terminates TLS.")
	}
	a.admin.name = name.ASCII
	return nil
}

// wrapSites passes requests for the admin domain to the API, and all others to the sites.
func (a *app) wrapSites(sites http.Handler) http.Handler {
	if a.admin.name == "" {
		return sites
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case hostOf(r.Host) != a.admin.name:
			sites.ServeHTTP(w, r)
		case !a.arrivedSecurely(r):
			w.Header().Set("Content-Type", "text/plain; charset=utf-8")
			w.Header().Set("Cache-Control", "no-store")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write([]byte("This name answers over HTTPS only: https://" + a.admin.name + "\n"))
		default:
			a.handler.ServeHTTP(w, r)
		}
	})
}

// hostOf returns the lower-case name of a Host field, without its port.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// arrivedSecurely reports whether a request came over a TLS connection that was made for the admin
// domain, here or at a trusted proxy.
func (a *app) arrivedSecurely(r *http.Request) bool {
	if r.TLS != nil {
		return hostOf(r.TLS.ServerName) == a.admin.name
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || r.Header.Get("X-Forwarded-Proto") != "https" {
		return false
	}
	return slices.ContainsFunc(a.proxies, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
}

// keepAdminCertificate orders the certificate of the admin domain and keeps watch of it until ctx
// ends. It is a poll, not a retry: the certificate manager orders and renews.
func (a *app) keepAdminCertificate(ctx context.Context) {
	if a.admin.name == "" || a.certs == nil || isLocal(a.admin.name) {
		return
	}
	h := anchor.Hostname{Name: a.admin.name, Verified: true}
	for logged := ""; ; {
		cert, err := a.certs.Ensure(ctx, h)
		if ctx.Err() != nil {
			return
		}
		problem, pause := cert.Problem, wildcardPending
		switch {
		case err != nil:
			problem = err.Error()
		case cert.Status == anchor.CertIssued:
			problem, pause = "", wildcardIssued
		case problem == "":
			problem = "the certificate is being issued"
		}
		if problem != "" && problem != logged {
			a.Log.Warn("no certificate for the admin domain", "domain", h.Name, "problem", problem)
		}
		logged = problem
		a.admin.problem.Store(&logged)
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// checkAdmin reports whether the admin domain has a certificate.
func (a *app) checkAdmin() wire.Check {
	c := wire.Check{Name: "Admin domain", OK: true, Detail: a.adminURL()}
	if problem := a.admin.problem.Load(); problem != nil && *problem != "" {
		c.OK, c.Detail = false, a.admin.name+" has no certificate: "+*problem
		c.Hint = "Let the name point to this server, and check the log of anchor up."
	}
	return c
}

// adminURL returns the URL of the API on its own name, "" without one.
func (a *app) adminURL() string {
	if a.admin.name == "" {
		return ""
	}
	if a.secure == nil { // a proxy in front
		return "https://" + a.admin.name
	}
	_, port, _ := net.SplitHostPort(a.secure.Addr().String())
	if port == "443" {
		port = ""
	}
	return origin{"https", port}.originOf(a.admin.name)
}

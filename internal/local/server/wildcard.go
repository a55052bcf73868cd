package server

import (
	"context"
	"net"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// wildcardName returns the name whose certificate the sites below the base domain share:
// <project>.<base> and <deployment>--<project>.<base>. A CA issues a wildcard for DNS-01 only, so
// it needs the DNS hook; one certificate for each of these names would reach the CA's limits on the
// first busy day. *.localhost has its own CA.
func (a *app) wildcardName() (h anchor.Hostname, wanted bool) {
	return anchor.Hostname{Name: "*." + a.BaseDomain, Verified: true}, a.certs != nil && a.localCA == nil
}

// The time until the wildcard's certificate is checked again.
const (
	wildcardPending = 5 * time.Second
	wildcardIssued  = 10 * time.Minute // the manager renews; this notices a revoked or lost one
)

// keepWildcard orders the wildcard's certificate and records whether there is one, until ctx ends.
// Its pauses are not retries: the manager retries an order.
func (a *app) keepWildcard(ctx context.Context) {
	h, wanted := a.wildcardName()
	if !wanted || a.HTTPS.DNSHook == "" {
		return
	}
	for told := ""; ; {
		cert, err := a.certs.Ensure(ctx, h)
		if ctx.Err() != nil {
			return
		}
		issued := err == nil && cert.Status == anchor.CertIssued
		a.covered.Store(issued)
		problem := cert.Problem
		if err != nil {
			problem = err.Error()
		}
		if problem != "" && problem != told {
			a.Log.Warn("no certificate for the sites below the base domain", "domain", h.Name, "problem", problem)
		}
		told = problem
		a.wildcardProblem.Store(&told)
		pause := wildcardPending
		if issued {
			pause = wildcardIssued
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

// sitesOrigin returns how sites below the base domain are best reached now.
func (a *app) sitesOrigin() origin {
	if a.PublicURL != "" || !a.covered.Load() {
		return a.public
	}
	_, port, _ := net.SplitHostPort(a.secure.Addr().String())
	if port == "443" {
		port = ""
	}
	return origin{"https", port}
}

// checkWildcard reports why sites below the base domain have no HTTPS, if they should.
func (a *app) checkWildcard() wire.Check {
	h, _ := a.wildcardName()
	c := wire.Check{Name: "HTTPS of sites", OK: a.covered.Load(), Detail: "the certificate of " + h.Name + " is ready"}
	if c.OK {
		return c
	}
	if a.HTTPS.DNSHook == "" {
		c.Detail = "sites below " + a.BaseDomain + " are served over plain HTTP, because a certificate for " + h.Name + " needs a DNS hook"
		c.Hint = "Start the server with --acme-dns-hook PROGRAM, or attach a domain to each project with anchor domains add NAME."
		return c
	}
	c.Detail = "the certificate of " + h.Name + " is being issued"
	if problem := a.wildcardProblem.Load(); problem != nil && *problem != "" {
		c.Detail = *problem
	}
	c.Hint = "Run the DNS hook by hand as described in docs/domains.md, and check the log of anchor up."
	return c
}

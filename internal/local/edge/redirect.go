package edge

import (
	"maps"
	"net/http"
	"strings"

	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// Policy is what applies to a host whatever its site is.
type Policy struct {
	// RedirectTo is the host (without port) that all requests are redirected to, with path and
	// query; "" for none. Such a host needs no site.
	RedirectTo string
	// HTTPSOnly redirects plain HTTP requests to HTTPS.
	HTTPSOnly bool
	// HSTS is the Strict-Transport-Security header of responses over TLS (RFC 6797); "" for none.
	HSTS string
	// NoIndex keeps the host out of search engines: responses have an X-Robots-Tag, unless the app sets
	// one itself.
	NoIndex bool
	// Guard decides who may see the host; nil: everybody. What the host answers is then for one visitor:
	// no cache between keeps it.
	Guard *Guard
}

// Guard decides who may see a host.
type Guard struct {
	// Refuse answers a request whose sender may not see the host, and returns true. Otherwise it removes
	// from r what proves that the sender may.
	Refuse func(w http.ResponseWriter, r *http.Request, secure bool) bool
}

// With returns the table with policies for hosts, written as for NewTable.
func (t *Table) With(policies map[string]Policy) *Table {
	with := *t
	with.policies = maps.Clone(policies)
	with.hsts = map[string][]byte{}
	for _, p := range policies {
		if p.HSTS != "" {
			with.hsts[p.HSTS] = asset.Serialize(http.Header{headerHSTS: {p.HSTS}})
		}
	}
	return &with
}

const headerHSTS = "Strict-Transport-Security"

func (t *Table) policyOf(host string) Policy {
	if len(t.policies) == 0 {
		return Policy{}
	}
	name := hostnameOf(host)
	if p, ok := t.policies[name]; ok {
		return p
	}
	if label, base, ok := strings.Cut(name, "."); ok && label != "" && t.exact[name] == nil {
		return t.policies["*."+base]
	}
	return Policy{}
}

// applyHostPolicy applies the policy of the request's host. It returns what to answer the request with,
// and whether the policy has answered it.
func (e *Edge) applyHostPolicy(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, bool) {
	table := e.table.Load()
	p := table.policyOf(r.Host)
	if p == (Policy{}) {
		return w, false
	}
	if e.redirectHost(table, p, w, r) || p.Guard != nil && p.Guard.Refuse(w, r, e.isSecure(r)) {
		return w, true
	}
	if p.Guard != nil {
		w = &uncached{ResponseWriter: w}
	}
	return w, false
}

// redirectHost sets the headers of a policy, and reports whether it redirected the request.
func (e *Edge) redirectHost(table *Table, p Policy, w http.ResponseWriter, r *http.Request) bool {
	secure := e.isSecure(r)
	if p.HSTS != "" && secure {
		w.Header()[headerHSTS] = []string{p.HSTS}
	}
	if p.NoIndex {
		w.Header()["X-Robots-Tag"] = []string{"noindex"}
	}
	host, https := hostnameOf(r.Host), secure || p.HTTPSOnly
	if p.RedirectTo != "" {
		host = p.RedirectTo
		https = https || table.policyOf(host).HTTPSOnly // in one step
	} else if https == secure {
		return false
	}
	h := w.Header()
	h.Set("Location", e.addressOf(r, host, https, secure))
	// A browser keeps a permanent redirect for ever by default, and the domain's owner may change
	// it.
	h.Set("Cache-Control", "public, max-age=3600")
	w.WriteHeader(http.StatusPermanentRedirect)
	return true
}

// addressOf returns r's URL under another host or scheme.
func (e *Edge) addressOf(r *http.Request, host string, https, secure bool) string {
	scheme, port := "http", portOf(r.Host)
	if https {
		scheme = "https"
		if !secure {
			port = e.cfg.HTTPSPort
		}
	}
	if port != "" && port != defaultPort(scheme) {
		host += ":" + port
	}
	target := r.URL.RequestURI()
	if target == "*" { // of OPTIONS (RFC 9110, section 9.3.7)
		target = "/"
	}
	return scheme + "://" + host + target
}

// isSecure reports whether the client's side of this request is TLS.
func (e *Edge) isSecure(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	return len(e.cfg.TrustedProxies) > 0 && r.Header.Get("X-Forwarded-Proto") == "https" && e.trustsPeer(peerAddress(r.RemoteAddr))
}

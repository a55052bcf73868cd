package edge

import "net/http"

// isMisdirected reports whether a request came by a connection that was not made for its address (RFC
// 9110, section 7.4): an https URL without TLS or the reverse, or, over TLS, the host of another
// project than the one whose name the client sent in the handshake. A browser that coalesces HTTP/2
// connections repeats the request on a separate one when it gets a 421 (RFC 9113, section 9.1.1). A
// trusted proxy is responsible for its own clients.
func (e *Edge) isMisdirected(r *http.Request) bool {
	if r.URL.Scheme != "" && (r.URL.Scheme == "https") != e.isSecure(r) {
		return true
	}
	if r.TLS == nil || r.TLS.ServerName == "" {
		return false
	}
	name, host := hostnameOf(r.TLS.ServerName), hostnameOf(r.Host)
	return name != host && !e.table.Load().sameProject(name, host) && !e.trustsPeer(peerAddress(r.RemoteAddr))
}

// sameProject reports whether two hosts belong to one project.
func (t *Table) sameProject(a, b string) bool {
	first, second := t.siteBehind(a), t.siteBehind(b)
	if first == nil || second == nil {
		return false
	}
	return first == second || (first.Project != "" && first.Project == second.Project)
}

// siteBehind returns the site of a host, or of the host that it redirects to.
func (t *Table) siteBehind(host string) *Site {
	if to := t.policyOf(host).RedirectTo; to != "" {
		host = to
	}
	return t.findSite(host)
}

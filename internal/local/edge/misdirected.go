package edge

import "net/http"

// misdirects reports whether a request came by a connection that was not made for its address (RFC
// 9110, section 7.4): an https URL without TLS or the reverse, or, over TLS, the host of another
// project than the one whose name the client sent in the handshake. A browser that coalesces HTTP/2
// connections repeats the request on a separate one when it gets a 421 (RFC 9113, section 9.1.1). A
// trusted proxy is responsible for its own clients.
func (e *Edge) misdirects(r *http.Request) bool {
	if r.URL.Scheme != "" && (r.URL.Scheme == "https") != e.secure(r) {
		return true
	}
	if r.TLS == nil || r.TLS.ServerName == "" {
		return false
	}
	name, host := hostname(r.TLS.ServerName), hostname(r.Host)
	return name != host && !e.table.Load().together(name, host) && !e.trusts(peerAddress(r.RemoteAddr))
}

// together reports whether two hosts belong to one project.
func (t *Table) together(a, b string) bool {
	first, second := t.behind(a), t.behind(b)
	if first == nil || second == nil {
		return false
	}
	return first == second || (first.Project != "" && first.Project == second.Project)
}

// behind returns the site of a host, or of the host that it redirects to.
func (t *Table) behind(host string) *Site {
	if to := t.policy(host).RedirectTo; to != "" {
		host = to
	}
	return t.find(host)
}

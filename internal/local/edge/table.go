package edge

import "strings"

// Table maps hosts to sites. It is immutable: to change the routes, build a new one.
type Table struct {
	exact    map[string]*Site
	wildcard map[string]*Site // by what follows the first label
	policies map[string]Policy
	hsts     map[string][]byte // the header field of each Policy.HSTS, as octets
	pins     map[string]Pins   // by host
	splits   map[string]Split  // by host
}

// NewTable takes lower-case hosts without port. "*.example.com" matches every name with exactly one
// more label, as a wildcard certificate does (RFC 9525, section 6.3); an exact host takes
// precedence.
func NewTable(sites map[string]*Site) *Table {
	t := &Table{exact: make(map[string]*Site, len(sites)), wildcard: map[string]*Site{}}
	for host, site := range sites {
		site.prepareRoutes()
		if base, ok := strings.CutPrefix(host, "*."); ok {
			t.wildcard[base] = site
			continue
		}
		t.exact[host] = site
	}
	return t
}

// findSite takes the Host of a request as the client sent it, and returns its site.
func (t *Table) findSite(host string) *Site {
	name := hostnameOf(host)
	if site, ok := t.exact[name]; ok {
		return site
	}
	if label, base, ok := strings.Cut(name, "."); ok && label != "" {
		return t.wildcard[base]
	}
	return nil
}

// hostnameOf returns a Host header without port and without the root dot, in lower case.
func hostnameOf(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		host = host[:i]
	}
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

// portOf returns the port of a Host header, or "".
func portOf(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host[i+1:]
	}
	return ""
}

package api

import (
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// checkHost refuses a request for a host that is not the API's. Any site's page can make its
// name resolve to this machine (DNS rebinding), and a browser then takes the API for a part of
// that site; the Host that it sends is still the site's. Addresses and localhost cannot be
// rebound.
func (s *server) checkHost(r *http.Request) *problem {
	if s.Hosts == nil || r.Host == "" { // no Host: HTTP/1.0, which no browser sends
		return nil
	}
	name := hostName(r.Host)
	if name == "localhost" || slices.ContainsFunc(s.Hosts, func(h string) bool { return hostName(h) == name }) {
		return nil
	}
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	return newProblem(http.StatusMisdirectedRequest, "wrong_host", fmt.Sprintf("the API does not accept requests for the host %q", name),
		fmt.Sprintf("Use its IP address or localhost: http://127.0.0.1 or http://localhost, with the port of the API. "+
			"If a proxy forwards this name, start the server with anchor up --api-host %s", name))
}

// hostName returns the lower-case name or address of a Host field (RFC 9110 7.2), without
// port, brackets and the dot of the root.
func hostName(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	return strings.ToLower(strings.TrimSuffix(host, "."))
}

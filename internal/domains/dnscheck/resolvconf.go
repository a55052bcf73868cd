package dnscheck

import (
	"net"

	"github.com/miekg/dns"
)

const resolvConf = "/etc/resolv.conf"

// systemResolvers returns the resolvers of a resolv.conf(5), or the local host's when there is
// none, as libc does.
func systemResolvers(path string) []string {
	conf, err := dns.ClientConfigFromFile(path)
	if err != nil || len(conf.Servers) == 0 {
		return []string{"127.0.0.1:53", "[::1]:53"}
	}
	all := make([]string, 0, len(conf.Servers))
	for _, host := range conf.Servers {
		all = append(all, net.JoinHostPort(host, conf.Port))
	}
	return all
}

// parseServers makes one server of each address; the default port is 53.
func parseServers(addresses []string) []server {
	all := make([]server, 0, len(addresses))
	for _, addr := range addresses {
		if _, _, err := net.SplitHostPort(addr); err != nil {
			addr = net.JoinHostPort(addr, "53")
		}
		all = append(all, server{name: addr, addrs: []string{addr}})
	}
	return all
}

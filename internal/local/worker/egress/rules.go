package egress

import (
	"net/netip"
	"strings"
)

// Rule allows or denies destinations. Of several rules that match, the first decides; without a
// match the destination is allowed. A rule for IPv4 also applies to IPv4-mapped IPv6 addresses.
type Rule struct {
	To    netip.Prefix
	Port  uint16 // 0: all ports
	Allow bool
}

// metadata are the addresses at which clouds serve a machine's credentials and configuration.
var metadata = []netip.Prefix{
	netip.MustParsePrefix("169.254.0.0/16"),     // link-local (RFC 3927): nearly all clouds
	netip.MustParsePrefix("fe80::/10"),          // link-local (RFC 4291): OpenStack's fe80::a9fe:a9fe
	netip.MustParsePrefix("fd00:ec2::/32"),      // AWS
	netip.MustParsePrefix("fd20:ce::254/128"),   // Google Cloud
	netip.MustParsePrefix("fd00:42::42/128"),    // Scaleway
	netip.MustParsePrefix("100.100.100.200/32"), // Alibaba Cloud
	netip.MustParsePrefix("168.63.129.16/32"),   // Azure's WireServer, which hands out secrets of extensions
	netip.MustParsePrefix("192.0.0.192/32"),     // Oracle Cloud Classic
}

// loopback are the addresses that reach a listener on loopback. connect(2) treats the unspecified
// ones as loopback.
var loopback = []netip.Prefix{
	netip.MustParsePrefix("127.0.0.0/8"),
	netip.MustParsePrefix("0.0.0.0/8"),
	netip.MustParsePrefix("::1/128"),
	netip.MustParsePrefix("::/128"),
}

var everywhere = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}

const domainPort = 53

// Rules returns rules that deny the metadata addresses of clouds, and a listener on this machine.
// Several clouds serve DNS at such an address: nameservers stay reachable at port 53. A machine may
// have addresses that it does not know itself (NAT). So the port of a listener outside loopback is
// denied at every address.
func Rules(listener netip.AddrPort, nameservers []netip.Addr) []Rule {
	var rules []Rule
	at := everywhere
	if listener.Addr().Unmap().IsLoopback() {
		at = loopback
	}
	for _, prefix := range at {
		rules = append(rules, Rule{To: prefix, Port: listener.Port()})
	}
	for _, server := range nameservers {
		server = server.Unmap().WithZone("")
		rules = append(rules, Rule{To: netip.PrefixFrom(server, server.BitLen()), Port: domainPort, Allow: true})
	}
	for _, prefix := range metadata {
		rules = append(rules, Rule{To: prefix})
	}
	return rules
}

// Nameservers returns the servers that the text of a resolv.conf(5) names.
func Nameservers(config string) []netip.Addr {
	var servers []netip.Addr
	for line := range strings.Lines(config) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		if server, err := netip.ParseAddr(fields[1]); err == nil {
			servers = append(servers, server)
		}
	}
	return servers
}

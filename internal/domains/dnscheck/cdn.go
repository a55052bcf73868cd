package dnscheck

import (
	_ "embed"
	"net/netip"
	"strings"

	"github.com/miekg/dns"
)

// cdn is a content delivery network that may stand in front of a name.
type cdn struct {
	name     string
	advice   string // how to take it out of the way, before the record to set; "" for changing the record
	suffixes []string
	ranges   []netip.Prefix
}

// cdns are those that users often enable without noticing. The suffixes are the names that
// their documentation points customers' CNAMEs to.
var cdns = []*cdn{
	{name: "Cloudflare", advice: `In Cloudflare's DNS settings turn off the record's proxy (gray cloud, "DNS only") and set`, suffixes: []string{"cdn.cloudflare.net."}},
	{name: "Fastly", suffixes: []string{"fastly.net.", "fastlylb.net."}},
	{name: "CloudFront", suffixes: []string{"cloudfront.net."}},
	{name: "Akamai", suffixes: []string{"edgekey.net.", "edgesuite.net.", "akamaiedge.net.", "akamaized.net."}},
	{name: "Azure Front Door", suffixes: []string{"azurefd.net.", "azureedge.net."}},
	{name: "bunny.net", suffixes: []string{"b-cdn.net."}},
	{name: "CDN77", suffixes: []string{"cdn77.org.", "cdn77.net."}},
}

//go:embed cdn.txt
var cdnRanges string

func init() {
	for line := range strings.Lines(cdnRanges) {
		fields := strings.Fields(line)
		if len(fields) != 2 || strings.HasPrefix(line, "#") {
			continue
		}
		for _, c := range cdns {
			if c.name == fields[0] {
				c.ranges = append(c.ranges, netip.MustParsePrefix(fields[1]))
			}
		}
	}
}

// cdnOf is the CDN whose published ranges hold addr, nil when none do.
func cdnOf(addr string) *cdn {
	ip, err := netip.ParseAddr(addr)
	if err != nil {
		return nil
	}
	for _, c := range cdns {
		for _, r := range c.ranges {
			if r.Contains(ip) {
				return c
			}
		}
	}
	return nil
}

// cdnOfName is the CDN that name belongs to, nil when none.
func cdnOfName(name string) *cdn {
	for _, c := range cdns {
		for _, suffix := range c.suffixes {
			if dns.IsSubDomain(suffix, name) {
				return c
			}
		}
	}
	return nil
}

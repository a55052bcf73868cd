package dnscheck

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// want is where a name has to lead.
type want struct {
	label   string // the name as its user writes it, "*.example.com" too
	zone    string // the zone its records are set in
	apex    bool
	records []anchor.DNSRecord
	aliases []string
	addrs   []string
	cdn     *cdn // of the aliases, when the platform itself is behind one
	flat    bool // the aliases' addresses are among addrs
}

func wantFor(need domains.Need, name string, z zone) *want {
	w := &want{label: displayName(need.Name), zone: z.name, records: need.Target}
	domain := registrableDomain(name)
	if w.zone == "" || !dns.IsSubDomain(domain, w.zone) {
		w.zone = domain
	}
	w.apex = !strings.HasPrefix(need.Name, "*.") && (name == w.zone || name == domain)
	for _, r := range need.Target {
		if r.Type == "CNAME" {
			w.aliases = append(w.aliases, canonicalValue(r))
		} else {
			w.addrs = append(w.addrs, canonicalValue(r))
		}
	}
	return w
}

// flattenAliases adds the aliases' own addresses: that is what ALIAS, ANAME and flattened
// CNAME records show of them.
func (s *session) flattenAliases(ctx context.Context, w *want) {
	if w.flat {
		return
	}
	w.flat = true
	for _, alias := range w.aliases {
		for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
			w.addrs = append(w.addrs, s.followCNAMEs(ctx, "", alias, typ).values...)
		}
		if c := cdnOfName(alias); c != nil {
			w.cdn = c
		}
	}
}

// isOurs reports whether addr is one of the target's. A CDN returns different addresses to
// different clients, so behind a CDN any of its addresses counts.
func (w *want) isOurs(addr string, aliased bool) bool {
	return slices.Contains(w.addrs, addr) || w.cdn != nil && !aliased && cdnOf(addr) == w.cdn
}

// pickRecord returns the one record to recommend: an address at the top of a zone, elsewhere the
// alias, which stays right when addresses change.
func (w *want) pickRecord() anchor.DNSRecord {
	order := []string{"CNAME", "A", "AAAA"}
	if w.apex {
		order = []string{"A", "AAAA", "CNAME"}
	}
	for _, typ := range order {
		if r, ok := w.ofType(typ); ok {
			return r
		}
	}
	return anchor.DNSRecord{Name: w.label}
}

func (w *want) ofType(typ string) (anchor.DNSRecord, bool) {
	i := slices.IndexFunc(w.records, func(r anchor.DNSRecord) bool { return r.Type == typ })
	if i < 0 {
		return anchor.DNSRecord{Name: w.label, Type: typ}, false
	}
	return anchor.DNSRecord{Name: w.label, Type: typ, Value: w.records[i].Value}, true
}

// standing is where a name leads according to one server.
type standing struct {
	server string
	trail  []string // the aliases, in order
	addrs  []string // IPv4, then IPv6
	broken string   // why the aliases lead nowhere
}

// verdict is what that means.
type verdict struct {
	standing
	state       domains.FindingState
	ours, stray []string // the addresses, sorted out
}

func (w *want) judgeStanding(st standing) verdict {
	v := verdict{standing: st}
	for _, addr := range st.addrs {
		if w.isOurs(addr, len(st.trail) > 0) {
			v.ours = append(v.ours, addr)
		} else {
			v.stray = append(v.stray, addr)
		}
	}
	v.state = w.findingState(v)
	return v
}

func (w *want) findingState(v verdict) domains.FindingState {
	aliased := slices.ContainsFunc(v.trail, func(n string) bool { return slices.Contains(w.aliases, n) })
	switch {
	case w.apex && len(v.trail) > 0:
		return domains.FindingApexCNAME
	case aliased:
		return domains.FindingRight
	case v.broken != "":
		return domains.FindingWrong
	case len(v.addrs) == 0 && len(v.trail) == 0:
		return domains.FindingMissing
	case len(v.addrs) == 0:
		return domains.FindingWrong
	case len(v.stray) == 0:
		return domains.FindingRight
	case len(v.ours) == 0 && v.commonProxy() != nil && v.commonProxy() != w.cdn:
		return domains.FindingProxied
	}
	return domains.FindingWrong
}

// commonProxy is the CDN that all of it belongs to, nil without.
func (v verdict) commonProxy() *cdn {
	for _, alias := range v.trail {
		if c := cdnOfName(alias); c != nil {
			return c
		}
	}
	var c *cdn
	for i, addr := range v.stray {
		if this := cdnOf(addr); this == nil || i > 0 && this != c {
			return nil
		} else {
			c = this
		}
	}
	return c
}

// splitFamilies sorts addresses into IPv4 and IPv6.
func splitFamilies(addrs []string) (v4, v6 []string) {
	for _, a := range addrs {
		if addr, err := netip.ParseAddr(a); err == nil && addr.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	return v4, v6
}

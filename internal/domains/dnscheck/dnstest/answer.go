package dnstest

import (
	"cmp"
	"time"

	"github.com/miekg/dns"
)

const maxAliases = 16

func (s *Server) serve(w dns.ResponseWriter, m *dns.Msg) {
	if len(m.Question) != 1 {
		return
	}
	udp := w.LocalAddr().Network() == "udp"
	name := dns.CanonicalName(m.Question[0].Name)
	s.mu.Lock()
	s.asked[question{name, m.Question[0].Qtype}]++
	fault := s.faultAt(name)
	s.mu.Unlock()
	if fault.Delay > 0 {
		time.Sleep(fault.Delay)
	}
	if fault.Drop || fault.DropUDP && udp {
		return
	}
	if fault.Stray && udp {
		forged := new(dns.Msg)
		forged.SetReply(m)
		forged.Id++
		_ = w.WriteMsg(forged)
	}
	// The client may be gone; that is its business.
	_ = w.WriteMsg(s.reply(m, fault, udp))
}

func (s *Server) faultAt(name string) Fault {
	for at := name; ; at = above(at) {
		if f, ok := s.faults[at]; ok {
			return f
		}
		if at == "." {
			return s.fault
		}
	}
}

func (s *Server) reply(m *dns.Msg, fault Fault, udp bool) *dns.Msg {
	r := new(dns.Msg)
	r.SetReply(m)
	opt := m.IsEdns0()
	if fault.NoEDNS && opt != nil {
		r.Rcode = cmp.Or(fault.Rcode, dns.RcodeFormatError)
		return r
	}
	if fault.NoEDNS {
		fault.Rcode = dns.RcodeSuccess
	}
	if opt != nil {
		r.SetEdns0(1232, false)
	}
	switch {
	case fault.Bogus && !m.CheckingDisabled:
		r.Rcode = dns.RcodeServerFailure
		if own := r.IsEdns0(); own != nil {
			own.Option = append(own.Option, &dns.EDNS0_EDE{InfoCode: dns.ExtendedErrorCodeDNSBogus})
		}
		return r
	case fault.Rcode != 0:
		r.Rcode = fault.Rcode
		return r
	}
	s.fill(r, m.Question[0])
	r.Authoritative = r.Authoritative && !fault.NotAuthoritative
	size := dns.MinMsgSize
	if opt != nil {
		size = int(opt.UDPSize())
	}
	if udp {
		r.Truncate(size)
	}
	if udp && fault.Truncate {
		r.Truncated, r.Answer, r.Ns = true, nil, nil
	}
	return r
}

func (s *Server) fill(r *dns.Msg, q dns.Question) {
	name := dns.CanonicalName(q.Name)
	if s.upstream == nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		r.RecursionAvailable = len(s.data.zones) == 0
		s.data.fill(r, name, q.Qtype)
		return
	}
	r.RecursionAvailable = true
	for range maxAliases {
		part := s.part(name, q.Qtype)
		r.Rcode, r.Ns = part.Rcode, part.Ns
		r.Answer = append(r.Answer, part.Answer...)
		alias, found := "", false
		for _, rr := range part.Answer {
			if c, ok := rr.(*dns.CNAME); ok {
				alias = dns.CanonicalName(c.Target)
			}
			found = found || rr.Header().Rrtype == q.Qtype
		}
		if found || alias == "" {
			return
		}
		name = alias
	}
	r.Rcode = dns.RcodeServerFailure
}

// part is one link of a resolver's answer: cached, from the upstream that holds the deepest
// zone, or from its own records.
func (s *Server) part(name string, typ uint16) *dns.Msg {
	part := new(dns.Msg)
	s.mu.Lock()
	cached := s.cache.recall(part, name, typ)
	s.mu.Unlock()
	if cached {
		return part
	}
	var best *Server
	depth := -1
	for _, up := range s.upstream {
		up.mu.Lock()
		zone, soa := up.data.holder(name)
		up.mu.Unlock()
		if soa != nil && dns.CountLabel(zone) > depth {
			best, depth = up, dns.CountLabel(zone)
		}
	}
	if best == nil {
		best = s
	}
	best.mu.Lock()
	defer best.mu.Unlock()
	best.data.fill(part, name, typ)
	return part
}

// recall answers from a cache.
func (d *data) recall(r *dns.Msg, name string, typ uint16) bool {
	if ttl, denied := d.denied[question{name, typ}]; denied {
		soa := &dns.SOA{Hdr: dns.RR_Header{Name: above(name), Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: uint32(ttl)}, Ns: "ns.invalid.", Mbox: "hostmaster.invalid.", Minttl: uint32(ttl)}
		r.Ns = []dns.RR{soa}
		return true
	}
	for _, t := range []uint16{typ, dns.TypeCNAME} {
		if rrs := d.records[question{name, t}]; len(rrs) > 0 {
			r.Answer = rrs
			return true
		}
	}
	return false
}

// fill answers with authority: records, the alias and what is known at its end, a
// referral, or a denial.
func (d *data) fill(r *dns.Msg, name string, typ uint16) {
	zone, soa := d.holder(name)
	if soa == nil && len(d.zones) > 0 {
		r.Rcode = dns.RcodeRefused
		return
	}
	if soa == nil {
		soa = &dns.SOA{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeSOA, Class: dns.ClassINET, Ttl: 60}, Ns: "ns.invalid.", Mbox: "hostmaster.invalid.", Minttl: 60}
	} else if ns := d.delegation(zone, name); len(ns) > 0 {
		r.Ns = ns
		r.Extra = append(r.Extra, d.glue(ns)...)
		return
	}
	r.Authoritative = true
	exists := true
	for range maxAliases {
		var rrs []dns.RR
		rrs, exists = d.find(name, typ)
		if name == zone && typ == dns.TypeSOA {
			rrs, exists = []dns.RR{soa}, true
		}
		r.Answer = append(r.Answer, rrs...)
		alias, _ := d.find(name, dns.TypeCNAME)
		if len(rrs) > 0 || len(alias) == 0 {
			break
		}
		r.Answer = append(r.Answer, alias[0])
		if c, ok := alias[0].(*dns.CNAME); ok {
			name = dns.CanonicalName(c.Target)
		}
		if held, _ := d.holder(name); held != zone {
			return
		}
	}
	if len(r.Answer) > 0 && exists {
		return
	}
	r.Ns = []dns.RR{soa}
	if !exists {
		r.Rcode = dns.RcodeNameError
	}
}

// glue returns the addresses of delegated servers that are known here.
func (d *data) glue(ns []dns.RR) []dns.RR {
	var all []dns.RR
	for _, rr := range ns {
		host, ok := rr.(*dns.NS)
		if !ok {
			continue
		}
		for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
			all = append(all, d.records[question{dns.CanonicalName(host.Ns), typ}]...)
		}
	}
	return all
}

package dnscheck

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
	"golang.org/x/net/publicsuffix"
)

const (
	maxServers = 13 // asked per zone: as many as the root has
	atOnce     = 4  // asked at the same time for a delegation, where one answer is enough
	maxCuts    = 12 // zone cuts from the top down to a name
)

// zone is a zone with the servers its parent delegates it to.
type zone struct {
	name    string
	servers []server
}

// session is one diagnosis: it remembers the zone cuts it came past, and which
// zones' servers are silent, so that each is waited for once.
type session struct {
	*Checker
	mu   sync.Mutex
	cuts map[string]zone
	dead map[string][]view
}

func newSession(c *Checker) *session {
	return &session{Checker: c, cuts: map[string]zone{}, dead: map[string][]view{}}
}

// Why a name's zone cannot be asked.
var (
	errNoDomain = errors.New("the domain does not exist")
	errBlocked  = errors.New("the servers of the top-level domain cannot be reached from here")
	errLame     = errors.New("the servers of the domain do not answer for it")
)

// zoneOf finds the zone that holds name, from the top-level domain down, as its registries
// delegate it now, without caches. With errNoDomain and errLame the zone is the last one found.
func (s *session) zoneOf(ctx context.Context, name string) (zone, []view, error) {
	z, err := s.start(ctx, name)
	if err != nil {
		return zone{}, nil, err
	}
	for range maxCuts {
		reply, troubles := s.firstAnswer(ctx, z, name)
		if reply == nil && !dns.IsSubDomain(registrableDomain(name), z.name) {
			return z, troubles, errBlocked
		}
		if reply == nil {
			return z, troubles, errLame
		}
		child, found := referredZone(reply, z.name, name)
		if !found && reply.Rcode == dns.RcodeNameError && !s.holdsBelow(z, name, reply) {
			return z, nil, errNoDomain
		}
		if !found {
			return z, nil, nil
		}
		z = s.descendTo(ctx, child, reply)
	}
	return z, nil, errLame
}

// holdsBelow reports whether a server that denies name still holds name's domain: one server may
// serve a zone and its parent, and then there is no referral.
func (s *session) holdsBelow(z zone, name string, denial *dns.Msg) bool {
	domain := registrableDomain(name)
	if dns.IsSubDomain(domain, z.name) {
		return true
	}
	for _, rr := range denial.Ns {
		if soa, ok := rr.(*dns.SOA); ok {
			return dns.IsSubDomain(domain, dns.CanonicalName(soa.Hdr.Name))
		}
	}
	return false
}

// start is the deepest zone above name known already, or the top-level domain.
func (s *session) start(ctx context.Context, name string) (zone, error) {
	s.mu.Lock()
	for at := name; at != "."; at = parentName(at) {
		if z, known := s.cuts[at]; known {
			s.mu.Unlock()
			return z, nil
		}
	}
	s.mu.Unlock()
	if len(s.roots) > 0 {
		return zone{name: ".", servers: s.roots}, nil
	}
	z, err := s.findZone(ctx, parentName(registrableDomain(name)))
	if err == nil {
		s.keepZone(z)
	}
	return z, err
}

// findZone asks the resolvers who serves name, or else the zone above it.
func (s *session) findZone(ctx context.Context, name string) (zone, error) {
	for at := name; ; at = parentName(at) {
		reply, err := s.queryRecursive(ctx, query{name: at, typ: dns.TypeNS})
		if err != nil {
			return zone{}, errors.Join(errBlocked, err)
		}
		if hosts := listNameservers(reply.Answer, at); len(hosts) > 0 {
			return zone{name: at, servers: s.locateHosts(ctx, hosts, nil)}, nil
		}
		if at == "." {
			return zone{}, errBlocked
		}
	}
}

// firstAnswer returns the first reply of z's servers that answers about name, or the trouble of each
// of them.
func (s *session) firstAnswer(ctx context.Context, z zone, name string) (*dns.Msg, []view) {
	s.mu.Lock()
	troubles, known := s.dead[z.name]
	s.mu.Unlock()
	if known {
		return nil, troubles
	}
	for some := range slices.Chunk(z.servers, atOnce) {
		reply, failed := s.raceServers(ctx, some, z.name, name)
		if reply != nil {
			return reply, nil
		}
		troubles = append(troubles, failed...)
	}
	if !slices.ContainsFunc(troubles, func(v view) bool { return v.trouble != silence }) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.dead[z.name] = troubles
	}
	return nil, troubles
}

// raceServers asks several servers of a zone and takes the first good reply.
func (s *session) raceServers(ctx context.Context, some []server, at, name string) (*dns.Msg, []view) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		reply *dns.Msg
		view  view
	}
	outcomes := make(chan outcome, len(some))
	for _, srv := range some {
		go func() {
			reply, err := s.askServer(ctx, srv, query{name: name, typ: dns.TypeNS})
			v := view{server: srv.name, trouble: explainTrouble(reply, err)}
			if _, refers := referredZone(reply, at, name); refers {
				v.trouble = ""
			}
			outcomes <- outcome{reply, v}
		}()
	}
	var troubles []view
	for range some {
		o := <-outcomes
		if o.view.trouble == "" {
			return o.reply, nil
		}
		troubles = append(troubles, o.view)
	}
	slices.SortFunc(troubles, func(a, b view) int { return strings.Compare(a.server, b.server) })
	return nil, troubles
}

// descendTo makes the zone that reply refers to and remembers it.
func (s *session) descendTo(ctx context.Context, child string, reply *dns.Msg) zone {
	hosts := listNameservers(append(slices.Clone(reply.Ns), reply.Answer...), child)
	z := zone{name: child, servers: s.locateHosts(ctx, hosts, reply.Extra)}
	s.keepZone(z)
	return z
}

func (s *session) keepZone(z zone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cuts[z.name] = z
}

// locateHosts finds the addresses of hosts: from the glue, and from the resolvers where
// glue is missing or has IPv6 only, which many machines cannot use. IPv4 comes first.
func (s *session) locateHosts(ctx context.Context, hosts []string, glue []dns.RR) []server {
	if len(hosts) > maxServers {
		hosts = hosts[:maxServers]
	}
	all := make([]server, len(hosts))
	var wg sync.WaitGroup
	for i, host := range hosts {
		v4, v6 := recordValues(glue, host, dns.TypeA), recordValues(glue, host, dns.TypeAAAA)
		wg.Go(func() {
			if len(v4) == 0 {
				v4 = s.resolveHost(ctx, host, dns.TypeA)
			}
			if len(v4)+len(v6) == 0 {
				v6 = s.resolveHost(ctx, host, dns.TypeAAAA)
			}
			all[i] = server{name: host, addrs: withPorts(append(v4, v6...))}
		})
	}
	wg.Wait()
	return all
}

// resolveHost takes the resolvers' word for a server's address, nil without one.
func (s *session) resolveHost(ctx context.Context, host string, typ uint16) []string {
	reply, err := s.queryRecursive(ctx, query{name: host, typ: typ})
	if err != nil {
		return nil
	}
	_, found := readChain(reply.Answer, host, typ)
	return found
}

func withPorts(addrs []string) []string {
	all := make([]string, 0, len(addrs))
	for _, a := range addrs {
		all = append(all, net.JoinHostPort(a, "53"))
	}
	return all
}

// referredZone returns the zone below `at`, on the way to name, that reply points to.
func referredZone(reply *dns.Msg, at, name string) (string, bool) {
	if reply == nil || reply.Rcode != dns.RcodeSuccess || reply.Authoritative && len(reply.Answer) > 0 {
		return "", false
	}
	for _, rr := range append(slices.Clone(reply.Ns), reply.Answer...) {
		ns, ok := rr.(*dns.NS)
		if !ok {
			continue
		}
		child := dns.CanonicalName(ns.Hdr.Name)
		if child != at && dns.IsSubDomain(at, child) && dns.IsSubDomain(child, name) {
			return child, true
		}
	}
	return "", false
}

// listNameservers returns the NS records of owner, sorted.
func listNameservers(rrs []dns.RR, owner string) []string {
	var hosts []string
	for _, rr := range rrs {
		if ns, ok := rr.(*dns.NS); ok && dns.CanonicalName(ns.Hdr.Name) == owner {
			hosts = append(hosts, dns.CanonicalName(ns.Ns))
		}
	}
	slices.Sort(hosts)
	return slices.Compact(hosts)
}

// registrableDomain is the name a registrar sold: one label below an ICANN suffix of the
// public suffix list (its private section names other people's services).
func registrableDomain(name string) string {
	plain := strings.TrimSuffix(name, ".")
	suffix, icann := publicsuffix.PublicSuffix(plain)
	for !icann && strings.Contains(suffix, ".") {
		_, above, _ := strings.Cut(suffix, ".")
		suffix, icann = publicsuffix.PublicSuffix(above)
	}
	rest, below := strings.CutSuffix(plain, "."+suffix)
	if !below {
		return name
	}
	return rest[strings.LastIndexByte(rest, '.')+1:] + "." + suffix + "."
}

func parentName(name string) string {
	next, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[next:]
}

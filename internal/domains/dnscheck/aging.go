package dnscheck

import (
	"context"
	"slices"
	"sync"

	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/domains"
)

// aging is what the resolvers still answer for a name that is right at its source.
type aging struct {
	old   []string // what they hand out instead
	wait  int      // seconds until the last of them forgets it
	bogus string   // why one of them rejects it, as certificate authorities will, "" when none does
}

// applyTo turns a right finding into what visitors see meanwhile.
func (a aging) applyTo(f *domains.Finding) {
	switch {
	case a.bogus != "":
		f.State, f.Detail = domains.FindingUnknown, bogusText(f.Record, a.bogus)
	case a.wait > 0:
		f.State, f.Found, f.RetryIn = domains.FindingCached, a.old, a.wait
		f.Detail = cachedText(f.Record, a.old, a.wait)
	}
}

// agingOf asks every resolver where the name leads.
func (s *session) agingOf(ctx context.Context, name string, w *want) aging {
	types := []uint16{dns.TypeA, dns.TypeAAAA}
	return s.atResolvers(ctx, name, types, func(replies []*dns.Msg) (old []string, stale []*dns.Msg) {
		st := standing{}
		for i, typ := range types {
			aliases, found := readChain(replies[i].Answer, name, typ)
			if i == 0 || len(st.trail) == 0 {
				st.trail = aliases
			}
			st.addrs = append(st.addrs, found...)
		}
		v := s.judgeStandings(ctx, w, []standing{st})[0]
		if v.state == domains.FindingRight {
			return nil, nil
		}
		v4, v6 := splitFamilies(v.stray)
		if len(v4) > 0 || len(v6) == 0 {
			stale = append(stale, replies[0])
		}
		if len(v6) > 0 {
			stale = append(stale, replies[1])
		}
		return v.stray, stale
	})
}

// agingRecord asks every resolver for one record.
func (s *session) agingRecord(ctx context.Context, name string, typ uint16, right func([]string) bool) aging {
	return s.atResolvers(ctx, name, []uint16{typ}, func(replies []*dns.Msg) ([]string, []*dns.Msg) {
		_, found := readChain(replies[0].Answer, name, typ)
		if right(found) {
			return nil, nil
		}
		return found, replies
	})
}

// atResolvers sends the questions to all resolvers at once. read decides which of one
// resolver's replies are stale. Resolvers that do not answer do not count.
func (s *session) atResolvers(ctx context.Context, name string, types []uint16, read func([]*dns.Msg) ([]string, []*dns.Msg)) aging {
	var mu sync.Mutex
	var a aging
	var wg sync.WaitGroup
	for _, srv := range s.resolvers {
		wg.Go(func() {
			replies, bogus := s.queryTypes(ctx, srv, name, types)
			mu.Lock()
			defer mu.Unlock()
			a.bogus = max(a.bogus, bogus)
			if len(replies) != len(types) {
				return
			}
			old, stale := read(replies)
			a.old = append(a.old, old...)
			for _, reply := range stale {
				a.wait = max(a.wait, remainingTTL(reply))
			}
		})
	}
	wg.Wait()
	slices.Sort(a.old)
	a.old = slices.Compact(a.old)
	return a
}

// queryTypes are srv's answers, one a type; nil when one is missing. bogus is why it
// rejects data that it has: DNSSEC, when it answers with checking disabled.
func (s *session) queryTypes(ctx context.Context, srv server, name string, types []uint16) (all []*dns.Msg, bogus string) {
	for _, typ := range types {
		reply, err := s.askServer(ctx, srv, query{name: name, typ: typ, recurse: true})
		if err != nil {
			return nil, ""
		}
		if reply.Rcode == dns.RcodeServerFailure {
			unchecked, err := s.askServer(ctx, srv, query{name: name, typ: typ, recurse: true, unsigned: true})
			if err == nil && unchecked.Rcode == dns.RcodeSuccess {
				return nil, "SERVFAIL" + extendedError(reply)
			}
			return nil, ""
		}
		if reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError {
			return nil, ""
		}
		all = append(all, reply)
	}
	return all, ""
}

// remainingTTL returns for how many seconds a resolver keeps a reply: the least TTL of its
// records, and for a denial the SOA's, as RFC 2308 section 5 caps it.
func remainingTTL(reply *dns.Msg) int {
	least, found := uint32(0), false
	for _, rr := range reply.Answer {
		if ttl := rr.Header().Ttl; !found || ttl < least {
			least, found = ttl, true
		}
	}
	for _, rr := range reply.Ns {
		if soa, ok := rr.(*dns.SOA); ok && !found {
			least, found = min(soa.Hdr.Ttl, soa.Minttl), true
		}
	}
	return int(least)
}

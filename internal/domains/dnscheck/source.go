package dnscheck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"
)

// maxAliases is how long a chain of CNAMEs may be; resolvers stop near that length.
const maxAliases = 10

// view is one server's answer about one name and type.
type view struct {
	server  string
	values  []string // canonical, sorted
	alias   string   // where a CNAME leads, "" without one
	trouble string   // why it says nothing, "" when it does
}

// source is what is known of one name and type at its source.
type source struct {
	zone      zone
	views     []view // of the servers that answer
	troubles  []view // of those that do not
	secondary bool   // the views are a resolver's, as no authoritative server answers
	err       error  // errNoDomain, errLame, errBlocked: why there are no views, or they are secondary
}

// queryAt asks every authoritative server for name and typ. When none can be reached it
// asks the resolvers.
func (s *session) queryAt(ctx context.Context, name string, typ uint16) source {
	z, troubles, err := s.zoneOf(ctx, name)
	src := source{zone: z, troubles: troubles, err: err}
	if errors.Is(err, errNoDomain) {
		return src
	}
	if err == nil {
		src.views, src.troubles = s.queryAll(ctx, z, query{name: name, typ: typ})
	}
	if len(src.views) > 0 {
		return src
	}
	if src.err == nil {
		src.err = errLame
	}
	s.secondHand(ctx, &src, query{name: name, typ: typ})
	return src
}

// queryAll asks all servers of a zone at once.
func (s *session) queryAll(ctx context.Context, z zone, q query) (good, bad []view) {
	all := make([]view, len(z.servers))
	var wg sync.WaitGroup
	for i, srv := range z.servers {
		wg.Go(func() {
			reply, err := s.askServer(ctx, srv, q)
			all[i] = view{server: srv.name, trouble: explainTrouble(reply, err)}
			if all[i].trouble == "" {
				all[i].readReply(reply, q)
			}
		})
	}
	wg.Wait()
	for _, v := range all {
		if v.trouble == "" {
			good = append(good, v)
		} else {
			bad = append(bad, v)
		}
	}
	return good, bad
}

// secondHand takes a resolver's word where the source is out of reach.
func (s *session) secondHand(ctx context.Context, src *source, q query) {
	reply, err := s.queryRecursive(ctx, q)
	if err != nil {
		src.err = errors.Join(src.err, err)
		return
	}
	domain := registrableDomain(q.name)
	if reply.Rcode == dns.RcodeNameError && s.isUnregistered(ctx, domain) {
		src.err = errNoDomain
		return
	}
	v := view{server: "resolver"}
	v.readReply(reply, q)
	src.views, src.secondary = []view{v}, true
}

func (s *session) isUnregistered(ctx context.Context, domain string) bool {
	reply, err := s.queryRecursive(ctx, query{name: domain, typ: dns.TypeSOA})
	return err == nil && reply.Rcode == dns.RcodeNameError
}

func (v *view) readReply(reply *dns.Msg, q query) {
	v.values = recordValues(reply.Answer, q.name, q.typ)
	if alias := recordValues(reply.Answer, q.name, dns.TypeCNAME); len(alias) > 0 && q.typ != dns.TypeCNAME {
		v.alias = alias[0]
	}
}

// queryRecursive asks the resolvers, one after the other, until one can answer.
func (c *Checker) queryRecursive(ctx context.Context, q query) (*dns.Msg, error) {
	q.recurse = true
	var failed error
	for _, srv := range c.resolvers {
		reply, err := c.askServer(ctx, srv, q)
		if err == nil && (reply.Rcode == dns.RcodeSuccess || reply.Rcode == dns.RcodeNameError) {
			return reply, nil
		}
		if err == nil {
			err = &refusal{server: srv.name, answer: dns.RcodeToString[reply.Rcode] + extendedError(reply)}
		}
		failed = errors.Join(failed, err)
	}
	if failed == nil {
		failed = errors.New("no resolver is configured")
	}
	return nil, failed
}

// refusal is a resolver's answer with an error code.
type refusal struct{ server, answer string }

func (r *refusal) Error() string { return "the resolver " + r.server + " answers " + r.answer }

// extendedError is what a server adds about its refusal (RFC 8914), "" without.
func extendedError(reply *dns.Msg) string {
	opt := reply.IsEdns0()
	if opt == nil {
		return ""
	}
	for _, o := range opt.Option {
		if ede, ok := o.(*dns.EDNS0_EDE); ok {
			return " (" + strings.TrimSpace(dns.ExtendedErrorCodeToString[ede.InfoCode]+" "+ede.ExtraText) + ")"
		}
	}
	return ""
}

// silence is the trouble of a server that does not answer.
const silence = "does not answer"

// explainTrouble explains why a reply is not an authoritative answer, "" when it is one.
func explainTrouble(reply *dns.Msg, err error) string {
	switch {
	case err != nil:
		return silence
	case reply.Rcode == dns.RcodeRefused:
		return "refuses queries for it"
	case reply.Rcode != dns.RcodeSuccess && reply.Rcode != dns.RcodeNameError:
		return "answers " + dns.RcodeToString[reply.Rcode] + extendedError(reply)
	case !reply.Authoritative:
		return "does not serve the zone"
	}
	return ""
}

// trail is a chain of CNAMEs and the values at its end.
type trail struct {
	names  []string // the aliases' targets, in order
	values []string
	broken string // why it leads nowhere, "" when it is fine
}

// followCNAMEs goes along the CNAMEs that begin at from and lead to name first.
func (s *session) followCNAMEs(ctx context.Context, from, name string, typ uint16) trail {
	t := trail{names: []string{name}}
	for at := name; ; {
		src := s.queryAt(ctx, at, typ)
		if len(src.views) == 0 {
			return t
		}
		v := src.views[0]
		if v.alias == "" {
			t.values = v.values
			return t
		}
		if v.alias == from || slices.Contains(t.names, v.alias) {
			t.broken = "its CNAMEs form a loop"
			return t
		}
		if len(t.names) >= maxAliases {
			t.broken = fmt.Sprintf("it follows more than %d CNAMEs", maxAliases)
			return t
		}
		at = v.alias
		t.names = append(t.names, at)
	}
}

// readChain reads a resolver's whole answer: the aliases and the values at their end.
func readChain(rrs []dns.RR, name string, typ uint16) (aliases, found []string) {
	for range maxAliases {
		if found = recordValues(rrs, name, typ); len(found) > 0 {
			return aliases, found
		}
		next := recordValues(rrs, name, dns.TypeCNAME)
		if len(next) == 0 {
			break
		}
		name = next[0]
		aliases = append(aliases, name)
	}
	return aliases, nil
}

// recordValues returns the records of owner and typ in canonical form, sorted.
func recordValues(rrs []dns.RR, owner string, typ uint16) []string {
	var all []string
	for _, rr := range rrs {
		if rr.Header().Rrtype == typ && dns.CanonicalName(rr.Header().Name) == owner {
			all = append(all, canonicalData(rr))
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

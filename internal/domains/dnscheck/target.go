package dnscheck

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// checkTarget reports whether the name leads here: one finding, or one for IPv4 and one for IPv6
// when only some of its addresses do.
func (s *session) checkTarget(ctx context.Context, need domains.Need) []domains.Finding {
	name, wild := dns.CanonicalName(need.Name), false
	if rest, is := strings.CutPrefix(name, "*."); is {
		// A new random label: neither records nor caches know it.
		name, wild = "anchor-check-"+strings.ToLower(rand.Text()[:10])+"."+rest, true
	}
	stands, src := s.askStandings(ctx, name)
	w := wantFor(need, name, src.zone)
	if len(stands) == 0 {
		return []domains.Finding{w.silentFinding(src, w.pickRecord())}
	}
	verdicts := s.judgeStandings(ctx, w, stands)
	findings := w.summarize(verdicts)
	if findings[0].State == domains.FindingMissing {
		s.hintDoubled(ctx, w, name, &findings[0])
	}
	return s.finishFindings(ctx, findings, src, func() aging {
		if wild {
			return aging{}
		}
		return s.agingOf(ctx, name, w)
	})
}

// finishFindings adds to findings what the path to the answer and the caches imply.
func (s *session) finishFindings(ctx context.Context, findings []domains.Finding, src source, age func() aging) []domains.Finding {
	first := &findings[0]
	right := !slices.ContainsFunc(findings, func(f domains.Finding) bool { return f.State != domains.FindingRight })
	switch {
	case src.secondary:
		first.Detail += secondHandNote(src)
	case right:
		age().applyTo(first)
	}
	if right && !src.secondary && len(src.troubles) > 0 {
		first.Detail += troublesNote(src)
	}
	return findings
}

// judgeStandings sorts the standings out. Where the target's addresses matter they are
// looked up first.
func (s *session) judgeStandings(ctx context.Context, w *want, stands []standing) []verdict {
	all := make([]verdict, len(stands))
	for i, st := range stands {
		all[i] = w.judgeStanding(st)
	}
	if len(w.aliases) == 0 || !slices.ContainsFunc(all, func(v verdict) bool { return v.state != domains.FindingRight && len(v.addrs) > 0 }) {
		return all
	}
	s.flattenAliases(ctx, w)
	for i, st := range stands {
		all[i] = w.judgeStanding(st)
	}
	return all
}

// askStandings asks every server for both kinds of address and follows the aliases that each of
// them returns.
func (s *session) askStandings(ctx context.Context, name string) ([]standing, source) {
	var srcs [2]source
	var wg sync.WaitGroup
	for i, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
		wg.Go(func() { srcs[i] = s.queryAt(ctx, name, typ) })
	}
	wg.Wait()
	if len(srcs[0].views) == 0 && len(srcs[1].views) > 0 && !errors.Is(srcs[0].err, errNoDomain) {
		srcs[0], srcs[1] = srcs[1], source{}
	}
	trails := map[string]standing{}
	var all []standing
	for _, v := range srcs[0].views {
		st := standing{server: v.server, addrs: slices.Clone(v.values)}
		if v.alias != "" {
			if _, known := trails[v.alias]; !known {
				trails[v.alias] = s.trailAlias(ctx, name, v.alias)
			}
			st = trails[v.alias]
			st.server = v.server
		} else if i := slices.IndexFunc(srcs[1].views, func(o view) bool { return o.server == v.server }); i >= 0 {
			st.addrs = append(st.addrs, srcs[1].views[i].values...)
		}
		all = append(all, st)
	}
	return all, srcs[0]
}

func (s *session) trailAlias(ctx context.Context, name, alias string) standing {
	var ends [2]trail
	var wg sync.WaitGroup
	for i, typ := range []uint16{dns.TypeA, dns.TypeAAAA} {
		wg.Go(func() { ends[i] = s.followCNAMEs(ctx, name, alias, typ) })
	}
	wg.Wait()
	return standing{trail: ends[0].names, addrs: append(ends[0].values, ends[1].values...), broken: ends[0].broken}
}

// hintDoubled checks for the record one level too deep: many registrars append the domain, and
// www.example.com becomes www.example.com.example.com.
func (s *session) hintDoubled(ctx context.Context, w *want, name string, f *domains.Finding) {
	doubled := name + w.zone
	if w.apex || checkAskable(doubled) != nil {
		return
	}
	stands, src := s.askStandings(ctx, doubled)
	if len(stands) == 0 || src.secondary {
		return
	}
	if v := s.judgeStandings(ctx, w, stands)[0]; v.state == domains.FindingRight {
		f.Found = []string{displayName(doubled)}
		f.Detail = doubledText(w.label, doubled, w.zone, f.Record)
	}
}

// silentFinding is the finding when nothing at all could be learned.
func (w *want) silentFinding(src source, r anchor.DNSRecord) domains.Finding {
	return silentFindingFor(src, w.zone, r)
}

func silentFindingFor(src source, zone string, r anchor.DNSRecord) domains.Finding {
	if errors.Is(src.err, errNoDomain) {
		return domains.Finding{Record: r, State: domains.FindingNoDomain, Detail: noDomainText(dns.CanonicalName(r.Name))}
	}
	return domains.Finding{Record: r, State: domains.FindingUnknown, Detail: silentText(src, zone)}
}

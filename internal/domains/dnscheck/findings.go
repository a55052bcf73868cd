package dnscheck

import (
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// summarize summarizes the servers' verdicts. There is at least one.
func (w *want) summarize(verdicts []verdict) []domains.Finding {
	var good, bad []verdict
	for _, v := range verdicts {
		if v.state == domains.FindingRight {
			good = append(good, v)
		} else {
			bad = append(bad, v)
		}
	}
	switch {
	case len(bad) == 0:
		return []domains.Finding{w.rightFinding(good[0])}
	case len(good) > 0:
		return []domains.Finding{w.disagreeFinding(good, bad)}
	case len(bad[0].ours) > 0 && bad[0].state == domains.FindingWrong:
		return w.mixedFindings(bad[0])
	}
	return []domains.Finding{w.wrongFinding(bad[0])}
}

// rightFinding names the record that does it.
func (w *want) rightFinding(v verdict) domains.Finding {
	r := w.pickRecord()
	if len(v.trail) > 0 {
		if alias, ok := w.ofType("CNAME"); ok {
			r = alias
		}
	} else if v4, v6 := splitFamilies(v.ours); len(v4) > 0 {
		r = anchor.DNSRecord{Name: w.label, Type: "A", Value: v4[0]}
	} else if len(v6) > 0 {
		r = anchor.DNSRecord{Name: w.label, Type: "AAAA", Value: v6[0]}
	}
	return domains.Finding{Record: r, State: domains.FindingRight, Detail: leadsHereText(w, v)}
}

// wrongFinding is about a name that does not lead here at all.
func (w *want) wrongFinding(v verdict) domains.Finding {
	f := domains.Finding{Record: w.pickRecord(), State: v.state, Found: v.foundInstead()}
	switch v.state {
	case domains.FindingMissing:
		f.Detail = missingTargetText(w, f.Record)
	case domains.FindingApexCNAME:
		f.Detail = apexText(w, f.Record, v)
	case domains.FindingProxied:
		f.Detail = proxiedText(w, f.Record, v)
	default:
		f.Detail = wrongTargetText(w, f.Record, v)
	}
	return f
}

// mixedFindings is about a name only some of whose addresses lead here: a finding each for
// IPv4 and IPv6, as they are separate records.
func (w *want) mixedFindings(v verdict) []domains.Finding {
	ours4, ours6 := splitFamilies(v.ours)
	stray4, stray6 := splitFamilies(v.stray)
	var all []domains.Finding
	for _, side := range []struct {
		typ         string
		ours, stray []string
	}{{"A", ours4, stray4}, {"AAAA", ours6, stray6}} {
		r, _ := w.ofType(side.typ)
		switch {
		case len(side.stray) > 0:
			f := domains.Finding{Record: r, State: domains.FindingWrong, Found: side.stray}
			f.Detail = strayText(w, r, side.stray, len(side.ours) > 0)
			all = append(all, f)
		case len(side.ours) > 0:
			r.Value = side.ours[0]
			f := domains.Finding{Record: r, State: domains.FindingRight}
			f.Detail = "The " + side.typ + " record of " + w.label + " points to Anchor."
			all = append(all, f)
		}
	}
	return all
}

// disagreeFinding is about a change that has not come to all servers, or never will.
func (w *want) disagreeFinding(good, bad []verdict) domains.Finding {
	f := domains.Finding{Record: w.pickRecord(), State: domains.FindingWrong}
	for _, v := range bad {
		f.Found = append(f.Found, v.foundInstead()...)
	}
	slices.Sort(f.Found)
	f.Found = slices.Compact(f.Found)
	f.Detail = disagreeText(w.zone, serverNames(good), serverNames(bad), f.Found)
	return f
}

// foundInstead is what exists in place of the right record: the alias, or the addresses.
func (v verdict) foundInstead() []string {
	if len(v.trail) > 0 {
		return []string{displayName(v.trail[0])}
	}
	return v.addrs
}

func serverNames(verdicts []verdict) []string {
	all := make([]string, 0, len(verdicts))
	for _, v := range verdicts {
		all = append(all, displayName(v.server))
	}
	return all
}

package dnscheck

import (
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// findings summarizes the servers' verdicts. There is at least one.
func (w *want) findings(verdicts []verdict) []domains.Finding {
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
		return []domains.Finding{w.right(good[0])}
	case len(good) > 0:
		return []domains.Finding{w.disagree(good, bad)}
	case len(bad[0].ours) > 0 && bad[0].state == domains.FindingWrong:
		return w.mixed(bad[0])
	}
	return []domains.Finding{w.wrong(bad[0])}
}

// right names the record that does it.
func (w *want) right(v verdict) domains.Finding {
	r := w.pick()
	if len(v.trail) > 0 {
		if alias, ok := w.ofType("CNAME"); ok {
			r = alias
		}
	} else if v4, v6 := split(v.ours); len(v4) > 0 {
		r = anchor.DNSRecord{Name: w.label, Type: "A", Value: v4[0]}
	} else if len(v6) > 0 {
		r = anchor.DNSRecord{Name: w.label, Type: "AAAA", Value: v6[0]}
	}
	return domains.Finding{Record: r, State: domains.FindingRight, Detail: leadsHereText(w, v)}
}

// wrong is about a name that does not lead here at all.
func (w *want) wrong(v verdict) domains.Finding {
	f := domains.Finding{Record: w.pick(), State: v.state, Found: v.found()}
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

// mixed is about a name only some of whose addresses lead here: a finding each for
// IPv4 and IPv6, as they are separate records.
func (w *want) mixed(v verdict) []domains.Finding {
	ours4, ours6 := split(v.ours)
	stray4, stray6 := split(v.stray)
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

// disagree is about a change that has not come to all servers, or never will.
func (w *want) disagree(good, bad []verdict) domains.Finding {
	f := domains.Finding{Record: w.pick(), State: domains.FindingWrong}
	for _, v := range bad {
		f.Found = append(f.Found, v.found()...)
	}
	slices.Sort(f.Found)
	f.Found = slices.Compact(f.Found)
	f.Detail = disagreeText(w.zone, servernames(good), servernames(bad), f.Found)
	return f
}

// found is what exists in place of the right record: the alias, or the addresses.
func (v verdict) found() []string {
	if len(v.trail) > 0 {
		return []string{shown(v.trail[0])}
	}
	return v.addrs
}

func servernames(verdicts []verdict) []string {
	all := make([]string, 0, len(verdicts))
	for _, v := range verdicts {
		all = append(all, shown(v.server))
	}
	return all
}

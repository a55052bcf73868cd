package dnscheck

import (
	"context"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// checkRecord reports whether one record exists. Others of the same name and type are allowed.
func (s *session) checkRecord(ctx context.Context, r anchor.DNSRecord) domains.Finding {
	name, typ := dns.CanonicalName(r.Name), recordTypes[r.Type]
	src := s.queryAt(ctx, name, typ)
	zone := zoneFor(src, name)
	if len(src.views) == 0 {
		return silentFindingFor(src, zone, r)
	}
	expected := canonicalValue(r)
	right := func(found []string) bool { return slices.Contains(found, expected) }
	views := s.followAliases(ctx, name, typ, src.views)
	f := recordFinding(r, zone, views, right)
	if f.State == domains.FindingMissing {
		s.hintDoubledRecord(ctx, name, zone, right, &f)
	}
	return s.finishFindings(ctx, []domains.Finding{f}, src, func() aging {
		return s.agingRecord(ctx, name, typ, right)
	})[0]
}

// followAliases follows the views' aliases to the values at their end.
func (s *session) followAliases(ctx context.Context, name string, typ uint16, views []view) []view {
	ends := map[string][]string{}
	all := slices.Clone(views)
	for i, v := range all {
		if v.alias == "" {
			continue
		}
		if _, known := ends[v.alias]; !known {
			ends[v.alias] = s.followCNAMEs(ctx, name, v.alias, typ).values
		}
		all[i].values = ends[v.alias]
	}
	return all
}

func recordFinding(r anchor.DNSRecord, zone string, views []view, right func([]string) bool) domains.Finding {
	f := domains.Finding{Record: r}
	var good, bad []view
	for _, v := range views {
		if right(v.values) {
			good = append(good, v)
		} else {
			bad = append(bad, v)
			f.Found = append(f.Found, displayValues(r.Type, v.values)...)
		}
	}
	slices.Sort(f.Found)
	f.Found = slices.Compact(f.Found)
	switch {
	case len(bad) == 0:
		f.State, f.Detail = domains.FindingRight, rightText(r)
	case len(good) > 0:
		f.State, f.Detail = domains.FindingWrong, disagreeText(zone, viewNames(good), viewNames(bad), f.Found)
	case len(f.Found) == 0:
		f.State, f.Detail = domains.FindingMissing, missingText(r, zone)
	default:
		f.State, f.Detail = domains.FindingWrong, wrongRecordText(r, zone, f.Found)
	}
	return f
}

func (s *session) hintDoubledRecord(ctx context.Context, name, zone string, right func([]string) bool, f *domains.Finding) {
	doubled := name + zone
	if name == zone || checkAskable(doubled) != nil {
		return
	}
	src := s.queryAt(ctx, doubled, recordTypes[f.Record.Type])
	if len(src.views) > 0 && right(src.views[0].values) {
		f.Found = []string{displayName(doubled)}
		f.Detail = doubledText(displayName(name), doubled, zone, f.Record)
	}
}

// zoneFor is the zone that name's records are set in, as far as it is known.
func zoneFor(src source, name string) string {
	domain := registrableDomain(name)
	if src.zone.name != "" && dns.IsSubDomain(domain, src.zone.name) {
		return src.zone.name
	}
	return domain
}

func viewNames(views []view) []string {
	all := make([]string, 0, len(views))
	for _, v := range views {
		all = append(all, displayName(v.server))
	}
	return all
}

// displayValues writes values as a user would enter them.
func displayValues(typ string, found []string) []string {
	all := slices.Clone(found)
	if typ == "CNAME" {
		for i, v := range all {
			all[i] = strings.TrimSuffix(v, ".")
		}
	}
	return all
}

package dnscheck

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// property is one CAA record (RFC 8659 section 4.1).
type property struct {
	critical   bool
	tag, value string
}

// knownTags are the properties a CA understands: RFC 8659, RFC 9495, and the CA/B
// Forum's contact properties. An unknown one counts only when it is critical.
var knownTags = []string{"issue", "issuewild", "iodef", "issuemail", "issuevmc", "contactemail", "contactphone"}

// parseProperty reads what rdata writes of a CAA record.
func parseProperty(text string) (property, bool) {
	flag, rest, ok := strings.Cut(text, " ")
	tag, quoted, ok2 := strings.Cut(rest, " ")
	bits, err := strconv.ParseUint(flag, 10, 8)
	value, err2 := strconv.Unquote(quoted)
	if !ok || !ok2 || err != nil || err2 != nil {
		return property{}, false
	}
	return property{critical: bits&0x80 != 0, tag: tag, value: value}, true
}

// splitIssuer splits an issue value into the CA's domain, "" for none, and its parameters (RFC 8659
// section 4.2). A malformed value names no CA.
func (p property) splitIssuer() (domain string, parameters []string) {
	fields := strings.Split(p.value, ";")
	domain = strings.ToLower(strings.Trim(fields[0], " \t"))
	for _, f := range fields[1:] {
		f = strings.Trim(f, " \t")
		if f == "" {
			continue
		}
		if tag, _, ok := strings.Cut(f, "="); !ok || strings.Trim(tag, " \t") == "" {
			return "", nil
		}
		parameters = append(parameters, f)
	}
	if strings.ContainsAny(domain, " \t") {
		return "", nil
	}
	return domain, parameters
}

// permission is what a set of CAA records allows the issuers in question.
type permission struct {
	allowed    bool
	issuer     string   // who may, "" when the records do not say
	parameters []string // under these conditions (RFC 8657)
	critical   string   // an unknown critical property that stops every CA
}

// permissionOf applies RFC 8659 section 4.3: issuewild, where it exists, decides for wildcards, and
// a set without issue properties forbids nothing.
func permissionOf(set []property, issuers []string, wild bool) permission {
	for _, p := range set {
		if p.critical && !slices.Contains(knownTags, p.tag) {
			return permission{critical: p.tag}
		}
	}
	tag := "issue"
	if wild && slices.ContainsFunc(set, func(p property) bool { return p.tag == "issuewild" }) {
		tag = "issuewild"
	}
	rules, under := 0, permission{}
	for _, p := range set {
		if p.tag != tag {
			continue
		}
		rules++
		domain, parameters := p.splitIssuer()
		if domain == "" || !slices.ContainsFunc(issuers, func(i string) bool { return strings.EqualFold(i, domain) }) {
			continue
		}
		if len(parameters) == 0 {
			return permission{allowed: true, issuer: domain}
		}
		under = permission{allowed: true, issuer: domain, parameters: append(under.parameters, parameters...)}
	}
	under.allowed = under.allowed || rules == 0
	return under
}

// checkCAA climbs from the name to the nearest CAA records (RFC 8659 section 3) and reports whether
// they let one of the issuers issue.
func (s *session) checkCAA(ctx context.Context, need domains.Need) []domains.Finding {
	bare, wild := strings.CutPrefix(dns.CanonicalName(need.Name), "*.")
	levels := s.climbLevels(ctx, bare)
	for _, l := range levels {
		r := anchor.DNSRecord{Name: displayName(l.name), Type: "CAA", Value: "0 issue " + strconv.Quote(need.Issuers[0])}
		if errors.Is(l.src.err, errNoDomain) && len(need.Target)+len(need.Records) > 0 {
			return nil // their findings say so already
		}
		if errors.Is(l.src.err, errNoDomain) {
			return []domains.Finding{silentFindingFor(l.src, l.name, r)}
		}
		if len(l.src.views) == 0 {
			f := domains.Finding{Record: r, State: domains.FindingUnknown, Detail: caaSilentText(l.src, l.name)}
			return []domains.Finding{f}
		}
		if found := l.foundRecords(); len(found) > 0 {
			return []domains.Finding{caaFinding(need, r, l, found, wild)}
		}
	}
	none := anchor.DNSRecord{Name: displayName(bare), Type: "CAA"}
	f := domains.Finding{Record: none, State: domains.FindingRight, Detail: noCAAText(bare, need.Issuers)}
	if levels[0].src.secondary {
		f.Detail += secondHandNote(levels[0].src)
	}
	return []domains.Finding{f}
}

// level is one name on the way up.
type level struct {
	name string
	src  source
}

// foundRecords are the CAA records of all servers together.
func (l level) foundRecords() []string {
	var all []string
	for _, v := range l.src.views {
		all = append(all, v.values...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// climbLevels asks at all levels at once. Above the registered domain only the registry sets CAA, so
// a resolver's answer is enough there.
func (s *session) climbLevels(ctx context.Context, name string) []level {
	var levels []level
	for at := name; at != "."; at = parentName(at) {
		levels = append(levels, level{name: at})
	}
	domain := registrableDomain(name)
	var wg sync.WaitGroup
	for i := range levels {
		l := &levels[i]
		wg.Go(func() {
			if dns.IsSubDomain(domain, l.name) {
				l.src = s.queryAt(ctx, l.name, dns.TypeCAA)
				l.src.views = s.followAliases(ctx, l.name, dns.TypeCAA, l.src.views)
				return
			}
			v := view{}
			if reply, err := s.queryRecursive(ctx, query{name: l.name, typ: dns.TypeCAA}); err == nil {
				v.readReply(reply, query{name: l.name, typ: dns.TypeCAA})
			}
			l.src.views = []view{v}
		})
	}
	wg.Wait()
	return levels
}

// worstOf is the least that any server's set permits: a CA may ask any of them.
func worstOf(views []view, issuers []string, wild bool) permission {
	least := permission{allowed: true}
	for _, v := range views {
		var set []property
		for _, text := range v.values {
			if p, ok := parseProperty(text); ok {
				set = append(set, p)
			}
		}
		p := permissionOf(set, issuers, wild)
		if !p.allowed {
			return p
		}
		if least.issuer == "" || len(p.parameters) > 0 {
			least = p
		}
	}
	return least
}

// caaFinding explains the effect of one level's records on the certificate.
func caaFinding(need domains.Need, r anchor.DNSRecord, l level, found []string, wild bool) domains.Finding {
	verdict := worstOf(l.src.views, need.Issuers, wild)
	if verdict.issuer != "" {
		r.Value = "0 issue " + strconv.Quote(verdict.issuer)
	}
	f := domains.Finding{Record: r, State: domains.FindingRight, Detail: caaRightText(r, verdict.parameters)}
	if wild && !verdict.allowed && slices.ContainsFunc(found, func(v string) bool { return strings.Contains(v, " issuewild ") }) {
		f.Record.Value = "0 issuewild " + strconv.Quote(need.Issuers[0])
	}
	if !verdict.allowed {
		f.State, f.Found = domains.FindingCAA, found
		f.Detail = caaForbidsText(f.Record, zoneFor(l.src, l.name), found, need.Issuers, verdict.critical)
	}
	if l.src.secondary {
		f.Detail += secondHandNote(l.src)
	}
	return f
}

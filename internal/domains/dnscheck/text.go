package dnscheck

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// secondHandNote follows a finding that only a resolver reported.
func secondHandNote(src source) string {
	why := "cannot be reached from this machine"
	if errors.Is(src.err, errLame) && len(src.troubles) > 0 {
		why = "do not answer (" + joinFew(listComplaints(src.troubles)) + ")"
	}
	return " The domain's name servers " + why + ", so this result comes from a resolver and may be out of date."
}

func listComplaints(troubles []view) []string {
	all := make([]string, 0, len(troubles))
	for _, t := range troubles {
		all = append(all, displayName(t.server)+" "+t.trouble)
	}
	return all
}

// formatEntry formats a record as registrars' forms expect it: the host is relative to the zone, and
// "@" is the zone itself.
func formatEntry(r anchor.DNSRecord, zone string) string {
	return fmt.Sprintf("Host/Name: %s, Type: %s, Value: %s", hostPart(r.Name, zone), r.Type, displayValue(r))
}

// displayValue leaves a name's final dot out, which many forms refuse.
func displayValue(r anchor.DNSRecord) string {
	if r.Type == "CNAME" {
		return strings.TrimSuffix(r.Value, ".")
	}
	return r.Value
}

func hostPart(name, zone string) string {
	full := dns.CanonicalName(name)
	if full == zone {
		return "@"
	}
	if rest, ok := strings.CutSuffix(full, "."+zone); ok {
		return rest
	}
	return displayName(full)
}

// add is the advice to create a record. A name at the top of a zone whose target
// is known by name only needs the provider's substitute for a CNAME.
func add(w *want, r anchor.DNSRecord) string {
	if w.apex && r.Type == "CNAME" {
		return fmt.Sprintf("%s is the zone apex, where a CNAME is not allowed. At your DNS provider add Host/Name: @, Type: ALIAS (also called ANAME or CNAME flattening), Value: %s.", w.label, displayValue(r))
	}
	return "At your DNS provider add " + formatEntry(r, w.zone) + "."
}

func leadsHereText(w *want, v verdict) string {
	if len(v.trail) > 0 {
		return fmt.Sprintf("%s is a CNAME to %s and points to Anchor.", w.label, displayName(v.trail[0]))
	}
	for _, addr := range v.ours {
		if !slices.Contains(w.addrs, addr) {
			return fmt.Sprintf("%s points to %s (%s). The customers of %s share addresses, so Anchor cannot tell whose site this is.", w.label, w.cdn.name, addr, w.cdn.name)
		}
	}
	return w.label + " points to Anchor."
}

func missingTargetText(w *want, r anchor.DNSRecord) string {
	return w.label + " has no address yet. " + add(w, r)
}

func wrongTargetText(w *want, r anchor.DNSRecord, v verdict) string {
	leads := fmt.Sprintf("%s points to %s instead of Anchor.", w.label, joinFew(v.addrs))
	switch {
	case v.broken != "":
		leads = fmt.Sprintf("%s does not resolve: %s (%s).", w.label, v.broken, formatTrail(append([]string{w.label}, v.trail...)))
	case len(v.trail) > 0 && len(v.addrs) == 0:
		leads = fmt.Sprintf("%s is a CNAME to %s, which has no address.", w.label, formatTrail(v.trail))
	case len(v.trail) > 0:
		leads = fmt.Sprintf("%s is a CNAME to %s (%s), which is not Anchor.", w.label, formatTrail(v.trail), joinFew(v.addrs))
	}
	return leads + " " + adviseReplace(w, r, v.recordKinds())
}

// recordKinds are the types of the records that a verdict found.
func (v verdict) recordKinds() []string {
	if len(v.trail) > 0 {
		return []string{"CNAME"}
	}
	var all []string
	v4, v6 := splitFamilies(v.addrs)
	if len(v4) > 0 {
		all = append(all, "A")
	}
	if len(v6) > 0 {
		all = append(all, "AAAA")
	}
	return all
}

// adviseReplace advises to replace the records of these types by r.
func adviseReplace(w *want, r anchor.DNSRecord, kinds []string) string {
	if len(kinds) == 1 && kinds[0] == r.Type {
		return "At your DNS provider change it to " + formatEntry(r, w.zone) + "."
	}
	old := "record"
	if len(kinds) > 1 || kinds[0] != "CNAME" {
		old = "records"
	}
	gone := fmt.Sprintf("Delete its %s %s", strings.Join(kinds, " and "), old)
	if w.apex && r.Type == "CNAME" {
		return gone + ". " + add(w, r)
	}
	return gone + " at your DNS provider and add " + formatEntry(r, w.zone) + "."
}

func apexText(w *want, r anchor.DNSRecord, v verdict) string {
	is := fmt.Sprintf("%s is a CNAME to %s, but it is the zone apex, where a CNAME is not allowed because it hides the SOA, NS and MX records of the zone.", w.label, displayName(v.trail[0]))
	if r.Type == "CNAME" {
		return is + fmt.Sprintf(" Replace it with Host/Name: @, Type: ALIAS (also called ANAME or CNAME flattening), Value: %s.", displayValue(r))
	}
	return is + " Replace it with " + formatEntry(r, w.zone) + "."
}

func proxiedText(w *want, r anchor.DNSRecord, v verdict) string {
	c := v.commonProxy()
	at := joinFew(v.addrs)
	if len(v.trail) > 0 {
		at = displayName(v.trail[len(v.trail)-1])
	}
	said := fmt.Sprintf("%s looks proxied by %s (%s), which answers instead of this server.", w.label, c.name, at)
	if c.advice != "" {
		return said + " " + c.advice + " " + formatEntry(r, w.zone) + "."
	}
	return said + " " + adviseReplace(w, r, v.recordKinds())
}

// strayText is about addresses next to the right ones.
func strayText(w *want, r anchor.DNSRecord, stray []string, beside bool) string {
	kind, why := "IPv4", "so some visitors do not reach Anchor"
	if r.Type == "AAAA" {
		kind, why = "IPv6", "and visitors and certificate authorities with IPv6 go there first"
	}
	also := "points"
	if beside {
		also = "also points"
	}
	said := fmt.Sprintf("Over %s, %s %s to %s, %s.", kind, w.label, also, joinFew(stray), why)
	if r.Value != "" && !beside {
		return said + " " + adviseReplace(w, r, []string{r.Type})
	}
	values := "Value"
	if len(stray) > 1 {
		values = "Values"
	}
	return said + fmt.Sprintf(" At your DNS provider delete Host/Name: %s, Type: %s, %s: %s.", hostPart(r.Name, w.zone), r.Type, values, joinFew(stray))
}

func disagreeText(zone string, good, bad, found []string) string {
	says := "have no record"
	switch {
	case len(found) > 0 && len(bad) == 1:
		says = "still returns " + joinFew(found)
	case len(found) > 0:
		says = "still return " + joinFew(found)
	case len(bad) == 1:
		says = "has no record"
	}
	right := "is correct"
	if len(good) > 1 {
		right = "are correct"
	}
	return fmt.Sprintf("The name servers of %s disagree: %s %s, but %s %s. Wait a few minutes while your DNS provider publishes the change. If they still disagree, check at your registrar that no name server of an earlier provider is listed.",
		displayName(zone), joinFew(good), right, joinFew(bad), says)
}

func rightText(r anchor.DNSRecord) string {
	return fmt.Sprintf("The %s record of %s is correct.", r.Type, r.Name)
}

func missingText(r anchor.DNSRecord, zone string) string {
	return fmt.Sprintf("%s has no %s record yet. At your DNS provider add %s.", r.Name, r.Type, formatEntry(r, zone))
}

// wrongRecordText knows the usual slips of copying a value into a form.
func wrongRecordText(r anchor.DNSRecord, zone string, found []string) string {
	said := fmt.Sprintf("The %s record of %s contains %s instead of %s.", r.Type, r.Name, joinFew(found), displayValue(r))
	for _, f := range found {
		if r.Type == "TXT" && f != r.Value && strings.EqualFold(strings.Trim(f, "\"' \t\u201c\u201d"), r.Value) {
			return said + " Enter the value exactly as it is, without quotation marks or spaces and with the same capitalization."
		}
		if r.Type == "CNAME" && dns.CanonicalName(f) == canonicalValue(r)+zone {
			return said + fmt.Sprintf(" Your DNS provider appended the domain to the value. Enter the value with a trailing dot: %s", canonicalValue(r))
		}
	}
	if r.Type == "TXT" {
		return said + " At your DNS provider add " + formatEntry(r, zone) + ". Other TXT records can stay."
	}
	return said + " At your DNS provider change it to " + formatEntry(r, zone) + "."
}

func doubledText(label, doubled, zone string, r anchor.DNSRecord) string {
	return fmt.Sprintf("The record is at %s instead of %s, because your DNS provider appends %s automatically. Enter only Host/Name as shown: %s.", displayName(doubled), label, displayName(zone), formatEntry(r, zone))
}

func noDomainText(name string) string {
	return fmt.Sprintf("%s does not exist: it was never registered, or its registration expired. Check the spelling, or register the domain and then add the records.", displayName(registrableDomain(name)))
}

func silentText(src source, zone string) string {
	name := displayName(zone)
	var refused *refusal
	switch {
	case errors.Is(src.err, errLame) && len(src.troubles) == 0:
		return fmt.Sprintf("No name servers of %s were found. Check at your registrar that %s uses the name servers of your DNS provider.", name, name)
	case errors.Is(src.err, errLame):
		return fmt.Sprintf("The name servers of %s do not answer queries for it (%s). Check at your registrar that %s uses the name servers of your DNS provider.", name, joinFew(listComplaints(src.troubles)), name)
	case errors.As(src.err, &refused):
		return fmt.Sprintf("The resolver %s returns %s for %s, and this machine cannot reach the domain's name servers. Check the DNSSEC settings and the name servers of the domain at your DNS provider.", refused.server, refused.answer, name)
	}
	return fmt.Sprintf("Anchor could not look up %s: this machine can reach neither its name servers nor a resolver. Check that a firewall does not block port 53 and that the machine's resolvers are correct.", name)
}

func troublesNote(src source) string {
	return " However, " + joinFew(listComplaints(src.troubles)) + ", so some lookups may fail. Contact your DNS provider, or remove that name server at your registrar."
}

func cachedText(r anchor.DNSRecord, old []string, wait int) string {
	what := "report no record"
	if len(old) > 0 {
		what = "return the old value (" + joinFew(displayValues(r.Type, old)) + ")"
	}
	return fmt.Sprintf("%s is correct at its name servers, but resolvers may still %s for up to %d seconds. No change is needed.", r.Name, what, wait)
}

func bogusText(r anchor.DNSRecord, why string) string {
	domain := displayName(registrableDomain(dns.CanonicalName(r.Name)))
	return fmt.Sprintf("The record is there, but resolvers reject it because the DNSSEC signatures of %s are not valid (%s). Certificate authorities reject it as well. Delete the DS record of %s at your registrar, or ask your DNS provider to sign the zone again.", domain, why, domain)
}

func noCAAText(name string, issuers []string) string {
	return fmt.Sprintf("No CAA record prevents %s from issuing a certificate for %s.", joinAlternatives(issuers), displayName(name))
}

func caaRightText(r anchor.DNSRecord, conditions []string) string {
	said := fmt.Sprintf("The CAA records of %s allow the certificate.", r.Name)
	if len(conditions) > 0 {
		said += fmt.Sprintf(" They set a condition (%s). If the certificate cannot be issued, remove the condition.", joinFew(conditions))
	}
	return said
}

func caaForbidsText(r anchor.DNSRecord, zone string, found, issuers []string, critical string) string {
	if critical != "" {
		return fmt.Sprintf("The CAA records of %s contain the critical property %q, which certificate authorities do not support, so none can issue a certificate. Delete it at your DNS provider.", r.Name, critical)
	}
	return fmt.Sprintf("The CAA records of %s (%s) do not allow %s to issue a certificate. At your DNS provider add %s. The other records can stay.", r.Name, joinFew(found), joinAlternatives(issuers), formatEntry(r, zone))
}

func caaSilentText(src source, name string) string {
	return "Certificate authorities do not issue a certificate when they cannot look up the CAA records. " + silentText(src, zoneFor(src, name))
}

// joinFew joins values, the first few of many.
func joinFew(all []string) string {
	const most = 6
	if len(all) > most {
		return strings.Join(all[:most], ", ") + fmt.Sprintf(" and %d more", len(all)-most)
	}
	return strings.Join(all, ", ")
}

func joinAlternatives(all []string) string { return strings.Join(all, " or ") }

// formatTrail writes a chain of aliases, shortened in the middle.
func formatTrail(trail []string) string {
	shownNames := make([]string, 0, len(trail))
	for _, n := range trail {
		shownNames = append(shownNames, displayName(n))
	}
	if len(shownNames) > 4 {
		shownNames = append(append(shownNames[:2:2], "…"), shownNames[len(shownNames)-1])
	}
	return strings.Join(shownNames, " → ")
}

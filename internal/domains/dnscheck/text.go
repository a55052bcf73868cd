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
		why = "give no answer (" + joinFew(listComplaints(src.troubles)) + ")"
	}
	return " The domain's own name servers " + why + ": a resolver said this, and it may be out of date."
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
		return fmt.Sprintf("%s is the top of its zone, where a CNAME is not allowed: at your DNS provider add Host/Name: @, Type: ALIAS (also called ANAME or CNAME flattening), Value: %s.", w.label, displayValue(r))
	}
	return "At your DNS provider add " + formatEntry(r, w.zone) + "."
}

func leadsHereText(w *want, v verdict) string {
	if len(v.trail) > 0 {
		return fmt.Sprintf("%s is a CNAME to %s and points to Anchor.", w.label, displayName(v.trail[0]))
	}
	for _, addr := range v.ours {
		if !slices.Contains(w.addrs, addr) {
			return fmt.Sprintf("%s leads to %s of %s, which is here as far as can be told: its customers share addresses.", w.label, addr, w.cdn.name)
		}
	}
	return w.label + " points to Anchor."
}

func missingTargetText(w *want, r anchor.DNSRecord) string {
	return w.label + " has no address yet. " + add(w, r)
}

func wrongTargetText(w *want, r anchor.DNSRecord, v verdict) string {
	leads := fmt.Sprintf("%s leads to %s, not here.", w.label, joinFew(v.addrs))
	switch {
	case v.broken != "":
		leads = fmt.Sprintf("%s leads nowhere: %s (%s).", w.label, v.broken, formatTrail(append([]string{w.label}, v.trail...)))
	case len(v.trail) > 0 && len(v.addrs) == 0:
		leads = fmt.Sprintf("%s is a CNAME to %s, which has no address.", w.label, formatTrail(v.trail))
	case len(v.trail) > 0:
		leads = fmt.Sprintf("%s is a CNAME to %s (%s), which is not here.", w.label, formatTrail(v.trail), joinFew(v.addrs))
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
	is := fmt.Sprintf("%s is a CNAME to %s, but it is the top of its zone, where a CNAME is not allowed: it hides the zone's SOA, NS and MX records.", w.label, displayName(v.trail[0]))
	if r.Type == "CNAME" {
		return is + fmt.Sprintf(" Delete it and add instead Host/Name: @, Type: ALIAS (also called ANAME or CNAME flattening), Value: %s.", displayValue(r))
	}
	return is + " Delete it and add instead " + formatEntry(r, w.zone) + "."
}

func proxiedText(w *want, r anchor.DNSRecord, v verdict) string {
	c := v.commonProxy()
	at := joinFew(v.addrs)
	if len(v.trail) > 0 {
		at = displayName(v.trail[len(v.trail)-1])
	}
	said := fmt.Sprintf("%s looks proxied by %s (%s), which answers in place of this server.", w.label, c.name, at)
	if c.advice != "" {
		return said + " " + c.advice + " " + formatEntry(r, w.zone) + "."
	}
	return said + " " + adviseReplace(w, r, v.recordKinds())
}

// strayText is about addresses next to the right ones.
func strayText(w *want, r anchor.DNSRecord, stray []string, beside bool) string {
	kind, why := "IPv4", "so some visitors do not arrive here"
	if r.Type == "AAAA" {
		kind, why = "IPv6", "and visitors and certificate authorities that have IPv6 go there first"
	}
	also := "leads"
	if beside {
		also = "also leads"
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
	says := "have nothing"
	switch {
	case len(found) > 0 && len(bad) == 1:
		says = "still says " + joinFew(found)
	case len(found) > 0:
		says = "still say " + joinFew(found)
	case len(bad) == 1:
		says = "has nothing"
	}
	right := "is right"
	if len(good) > 1 {
		right = "are right"
	}
	return fmt.Sprintf("The name servers of %s disagree: %s %s, but %s %s. Wait some minutes for your DNS provider to publish the change everywhere; if it stays so, check that your registrar lists no name servers of an earlier provider.",
		displayName(zone), joinFew(good), right, joinFew(bad), says)
}

func rightText(r anchor.DNSRecord) string {
	return fmt.Sprintf("The %s record of %s is right.", r.Type, r.Name)
}

func missingText(r anchor.DNSRecord, zone string) string {
	return fmt.Sprintf("%s has no %s record yet. At your DNS provider add %s.", r.Name, r.Type, formatEntry(r, zone))
}

// wrongRecordText knows the usual slips of copying a value into a form.
func wrongRecordText(r anchor.DNSRecord, zone string, found []string) string {
	said := fmt.Sprintf("The %s record of %s says %s, not %s.", r.Type, r.Name, joinFew(found), displayValue(r))
	for _, f := range found {
		if r.Type == "TXT" && f != r.Value && strings.EqualFold(strings.Trim(f, "\"' \t\u201c\u201d"), r.Value) {
			return said + " Enter the value exactly as it is, without quotation marks and spaces, and in the same upper and lower case."
		}
		if r.Type == "CNAME" && dns.CanonicalName(f) == canonicalValue(r)+zone {
			return said + fmt.Sprintf(" Your DNS provider appended the domain to the value: enter it with a dot at the end: %s", canonicalValue(r))
		}
	}
	if r.Type == "TXT" {
		return said + " At your DNS provider add " + formatEntry(r, zone) + "; others may stay beside it."
	}
	return said + " At your DNS provider change it to " + formatEntry(r, zone) + "."
}

func doubledText(label, doubled, zone string, r anchor.DNSRecord) string {
	return fmt.Sprintf("The record is at %s instead of %s, as your DNS provider appends %s by itself. Enter only this: %s.", displayName(doubled), label, displayName(zone), formatEntry(r, zone))
}

func noDomainText(name string) string {
	return fmt.Sprintf("%s does not exist: it was never registered, or its registration ran out. Check the spelling, or register it and then set the records.", displayName(registrableDomain(name)))
}

func silentText(src source, zone string) string {
	name := displayName(zone)
	var refused *refusal
	switch {
	case errors.Is(src.err, errLame) && len(src.troubles) == 0:
		return fmt.Sprintf("No name servers of %s could be found. Check at your registrar that those of your DNS provider are entered for %s.", name, name)
	case errors.Is(src.err, errLame):
		return fmt.Sprintf("The name servers of %s do not answer for it (%s). Check at your registrar that the name servers entered for %s are those of your DNS provider.", name, joinFew(listComplaints(src.troubles)), name)
	case errors.As(src.err, &refused):
		return fmt.Sprintf("The resolver %s answers %s for %s, and its own name servers cannot be reached from this machine. Check the zone's DNSSEC and name servers with your DNS provider.", refused.server, refused.answer, name)
	}
	return fmt.Sprintf("Nothing could be learned about %s: neither its name servers nor a resolver can be reached from this machine. Check that it may send to port 53 and which resolvers it uses.", name)
}

func troublesNote(src source) string {
	return " But " + joinFew(listComplaints(src.troubles)) + ", so lookups may fail at times: tell your DNS provider, or take it out at your registrar."
}

func cachedText(r anchor.DNSRecord, old []string, wait int) string {
	what := "say that there is nothing"
	if len(old) > 0 {
		what = "give the old value (" + joinFew(displayValues(r.Type, old)) + ")"
	}
	return fmt.Sprintf("%s is right at its source, but resolvers may still %s for %d more seconds. There is nothing to do but wait.", r.Name, what, wait)
}

func bogusText(r anchor.DNSRecord, why string) string {
	domain := displayName(registrableDomain(dns.CanonicalName(r.Name)))
	return fmt.Sprintf("The record is there, but resolvers reject it because the DNSSEC signatures of %s do not fit (%s), and certificate authorities will too. Delete the DS record of %s at your registrar, or have your DNS provider sign it anew.", domain, why, domain)
}

func noCAAText(name string, issuers []string) string {
	return fmt.Sprintf("No CAA record keeps %s from issuing for %s.", joinAlternatives(issuers), displayName(name))
}

func caaRightText(r anchor.DNSRecord, conditions []string) string {
	said := fmt.Sprintf("The CAA records of %s let the certificate be issued.", r.Name)
	if len(conditions) > 0 {
		said += fmt.Sprintf(" They do so under a condition (%s): if issuing fails, remove it.", joinFew(conditions))
	}
	return said
}

func caaForbidsText(r anchor.DNSRecord, zone string, found, issuers []string, critical string) string {
	if critical != "" {
		return fmt.Sprintf("The CAA records of %s have a critical property, %q, that certificate authorities do not know, so none may issue. At your DNS provider delete it.", r.Name, critical)
	}
	return fmt.Sprintf("The CAA records of %s (%s) forbid %s to issue. At your DNS provider add %s; the others may stay.", r.Name, joinFew(found), joinAlternatives(issuers), formatEntry(r, zone))
}

func caaSilentText(src source, name string) string {
	return "Certificate authorities refuse a name whose CAA records they cannot ask for. " + silentText(src, zoneFor(src, name))
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

package dnstest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

// data is what a server knows.
type data struct {
	records map[question][]dns.RR
	denied  map[question]int // cached denials with their TTL
	zones   map[string]*dns.SOA
	names   map[string]int // how many record sets a name has, itself and below
}

func newData() data {
	return data{records: map[question][]dns.RR{}, denied: map[question]int{}, zones: map[string]*dns.SOA{}, names: map[string]int{}}
}

func (d *data) set(name, typ string, ttl int, values []string) error {
	q, err := key(name, typ)
	if err != nil {
		return err
	}
	if typ == "TXT" {
		values = quoted(values)
	}
	rrs := make([]dns.RR, 0, len(values))
	for _, v := range values {
		rr, err := dns.NewRR(q.name + " " + strconv.Itoa(ttl) + " IN " + typ + " " + v)
		if err != nil || rr == nil {
			return fmt.Errorf("%s %s %q: %w", name, typ, v, err)
		}
		rrs = append(rrs, rr)
	}
	if len(d.records[q]) > 0 {
		d.count(q.name, -1)
	}
	delete(d.records, q)
	if len(rrs) > 0 {
		d.records[q] = rrs
		d.count(q.name, 1)
	}
	return nil
}

func (d *data) hold(name, typ string, ttl int, values []string) error {
	q, err := key(name, typ)
	if err != nil {
		return err
	}
	delete(d.denied, q)
	if len(values) == 0 && ttl >= 0 {
		d.denied[q] = ttl
	}
	return d.set(name, typ, max(ttl, 0), values)
}

func (d *data) zone(name string, nameservers []string) error {
	if len(nameservers) == 0 {
		nameservers = []string{"ns." + dns.Fqdn(name)}
	}
	fqdn := make([]string, 0, len(nameservers))
	for _, ns := range nameservers {
		fqdn = append(fqdn, dns.Fqdn(ns))
	}
	soa, err := dns.NewRR(dns.CanonicalName(name) + " 300 IN SOA " + fqdn[0] + " hostmaster." + fqdn[0] + " 1 7200 900 1209600 60")
	if err != nil {
		return fmt.Errorf("zone %s: %w", name, err)
	}
	d.zones[dns.CanonicalName(name)], _ = soa.(*dns.SOA)
	return d.set(name, "NS", 3600, fqdn)
}

// count keeps account of empty non-terminals: a name exists when one below it does
// (RFC 8020).
func (d *data) count(name string, by int) {
	for at := name; at != "."; at = above(at) {
		d.names[at] += by
	}
}

// holder is the nearest zone above name.
func (d *data) holder(name string) (string, *dns.SOA) {
	for at := name; ; at = above(at) {
		if soa, ok := d.zones[at]; ok {
			return at, soa
		}
		if at == "." {
			return "", nil
		}
	}
}

// delegation is the NS set that hands name on to other servers.
func (d *data) delegation(zone, name string) []dns.RR {
	var found []dns.RR
	for at := name; at != zone && at != "."; at = above(at) {
		if ns := d.records[question{at, dns.TypeNS}]; len(ns) > 0 {
			found = ns
		}
	}
	return found
}

// find returns the records of a name, its own or those of the closest wildcard
// (RFC 4592), and whether the name exists.
func (d *data) find(name string, typ uint16) (rrs []dns.RR, exists bool) {
	if d.names[name] > 0 {
		return d.records[question{name, typ}], true
	}
	for at := above(name); ; at = above(at) {
		if wild := "*." + strings.TrimPrefix(at, "."); d.names[wild] > 0 {
			for _, rr := range d.records[question{wild, typ}] {
				rr = dns.Copy(rr)
				rr.Header().Name = name
				rrs = append(rrs, rr)
			}
			return rrs, true
		}
		if at == "." || d.names[at] > 0 {
			return nil, false
		}
	}
}

func key(name, typ string) (question, error) {
	number, known := dns.StringToType[typ]
	if _, ok := dns.IsDomainName(name); !ok || !known {
		return question{}, fmt.Errorf("%s %s is not a name and type", name, typ)
	}
	return question{dns.CanonicalName(name), number}, nil
}

func above(name string) string {
	next, end := dns.NextLabel(name, 0)
	if end {
		return "."
	}
	return name[next:]
}

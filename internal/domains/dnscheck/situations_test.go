package dnscheck_test

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/domains/dnscheck/dnstest"
)

var update = flag.Bool("update", false, "rewrite testdata/situations.golden")

const golden = "testdata/situations.golden"

// situation is a state that the DNS of a domain is met in.
type situation struct {
	title string
	set   func(w *world)
	need  domains.Need
}

var situations = []situation{
	{"nothing is set yet", func(*world) {}, leads("www.example.com")},
	{"nothing is set yet at the apex", func(*world) {}, leads("example.com")},
	{"nothing is set yet deep down", func(*world) {}, leads("a.b.example.com")},
	{"an apex that needs an alias", func(*world) {}, domains.Need{Name: "example.com", Target: []anchor.DNSRecord{{Name: "example.com", Type: "CNAME", Value: "edge.anchor.test"}}}},
	{"an address here", func(w *world) { w.set("www.example.com", "A", 300, edge) }, leads("www.example.com")},
	{"an alias here", func(w *world) { w.set("www.example.com", "CNAME", 300, "edge.anchor.test.") }, leads("www.example.com")},
	{"an alias here through another", func(w *world) {
		w.set("www.example.com", "CNAME", 300, "shop.example.com.")
		w.set("shop.example.com", "CNAME", 300, "edge.anchor.test.")
	}, leads("www.example.com")},
	{"an alias to a name with the same address", func(w *world) {
		w.set("www.example.com", "CNAME", 300, "example.com.")
		w.set("example.com", "A", 300, edge)
	}, leads("www.example.com")},
	{"a flattened alias at the apex", func(w *world) {
		w.set("example.com", "A", 300, edge)
		w.set("example.com", "AAAA", 300, edge6)
	}, domains.Need{Name: "example.com", Target: []anchor.DNSRecord{{Name: "example.com", Type: "CNAME", Value: "edge.anchor.test"}}}},
	{"an address elsewhere", func(w *world) { w.set("www.example.com", "A", 300, other) }, leads("www.example.com")},
	{"an alias elsewhere", func(w *world) {
		w.set("www.example.com", "CNAME", 300, "old.dns.test.")
		w.registry.Set("old.dns.test", "A", 300, other)
	}, leads("www.example.com")},
	{"an alias to nothing", func(w *world) {
		w.set("www.example.com", "CNAME", 300, "gone.dns.test.")
	}, leads("www.example.com")},
	{"aliases in a circle", func(w *world) {
		w.set("www.example.com", "CNAME", 300, "shop.example.com.")
		w.set("shop.example.com", "CNAME", 300, "www.example.com.")
	}, leads("www.example.com")},
	{"too many aliases", func(w *world) {
		w.set("www.example.com", "CNAME", 300, "l0.example.com.")
		for i := range 14 {
			w.set(fmt.Sprintf("l%d.example.com", i), "CNAME", 300, fmt.Sprintf("l%d.example.com.", i+1))
		}
	}, leads("www.example.com")},
	{"an alias at the apex", func(w *world) { w.set("example.com", "CNAME", 300, "edge.anchor.test.") }, leads("example.com")},
	{"one address too many", func(w *world) { w.set("www.example.com", "A", 300, edge, other, "198.51.100.8") }, leads("www.example.com")},
	{"IPv6 elsewhere", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.set("www.example.com", "AAAA", 300, "2001:db8:ffff::9")
	}, leads("www.example.com")},
	{"IPv4 elsewhere, IPv6 here", func(w *world) {
		w.set("www.example.com", "A", 300, other)
		w.set("www.example.com", "AAAA", 300, edge6)
	}, leads("www.example.com")},
	{"proxied by address", func(w *world) {
		w.set("www.example.com", "A", 300, "104.16.1.1", "172.67.1.1")
		w.set("www.example.com", "AAAA", 300, "2606:4700::6810:101")
	}, leads("www.example.com")},
	{"proxied by alias", func(w *world) {
		w.registry.Zone("net", "a.registry.test")
		w.registry.Set("example.map.fastly.net", "A", 60, "151.101.1.1")
		w.set("www.example.com", "CNAME", 300, "example.map.fastly.net.")
	}, leads("www.example.com")},
	{"behind the platform's own CDN", func(w *world) {
		w.registry.Zone("net", "a.registry.test")
		w.registry.Set("d111.cloudfront.net", "A", 60, "13.32.0.1")
		w.set("example.com", "A", 60, "13.32.0.9")
	}, domains.Need{Name: "example.com", Target: []anchor.DNSRecord{{Name: "example.com", Type: "CNAME", Value: "d111.cloudfront.net"}}}},
	{"another distribution of the platform's CDN", func(w *world) {
		w.registry.Zone("net", "a.registry.test")
		w.registry.Set("d111.cloudfront.net", "A", 60, "13.32.0.1")
		w.registry.Set("d222.cloudfront.net", "A", 60, "13.32.0.9")
		w.set("www.example.com", "CNAME", 60, "d222.cloudfront.net.")
	}, domains.Need{Name: "www.example.com", Target: []anchor.DNSRecord{{Name: "www.example.com", Type: "CNAME", Value: "d111.cloudfront.net"}}}},
	{"cached: the old address", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.resolver.Cache("www.example.com", "A", 1234, other)
	}, leads("www.example.com")},
	{"cached: nothing", func(w *world) {
		w.set("www.example.com", "CNAME", 300, "edge.anchor.test.")
		w.resolver.Cache("www.example.com", "A", 600)
		w.resolver.Cache("www.example.com", "AAAA", 600)
	}, leads("www.example.com")},
	{"cached: an IPv6 address that is gone", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.resolver.Cache("www.example.com", "AAAA", 77, "2001:db8:ffff::9")
	}, leads("www.example.com")},
	{"the old address is in caches and at the source", func(w *world) {
		w.set("www.example.com", "A", 300, other)
		w.resolver.Cache("www.example.com", "A", 1234, other)
	}, leads("www.example.com")},
	{"a domain nobody registered", func(*world) {}, issued("www.exmaple.com", "letsencrypt.org")},
	{"a domain nobody registered, for its CAA only", func(*world) {}, domains.Need{Name: "exmaple.com", Issuers: []string{"letsencrypt.org"}}},
	{"the registry serves the domain itself", func(w *world) {
		w.registry.Zone("example.com", "a.registry.test")
		w.registry.Set("shop.example.com", "A", 300, edge)
	}, leads("www.example.com")},
	{"registered just now, which the resolver has not noticed", func(w *world) {
		w.set("example.com", "A", 300, edge)
		w.resolver.MisbehaveAt("example.com", dnstest.Fault{Rcode: dns.RcodeNameError})
	}, leads("example.com")},
	{"glue for IPv6 only", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.registry.Set("example.com", "NS", 172800, "ns1.dns.example.org.")
		w.registry.Set("ns1.dns.example.org", "AAAA", 3600, "2001:db8::11")
		w.resolver.Cache("ns1.dns.example.org", "A", 3600, "192.0.2.11")
	}, leads("www.example.com")},
	{"the record is at a doubled name", func(w *world) {
		w.set("www.example.com.example.com", "A", 300, edge)
	}, leads("www.example.com")},
	{"one server has the old value", func(w *world) {
		w.ns1.Set("www.example.com", "A", 300, edge)
		w.ns2.Set("www.example.com", "A", 300, other)
	}, leads("www.example.com")},
	{"one server has nothing", func(w *world) { w.ns1.Set("www.example.com", "A", 300, edge) }, leads("www.example.com")},
	{"one server is lame", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.ns2.Misbehave(dnstest.Fault{NotAuthoritative: true})
	}, leads("www.example.com")},
	{"one server is gone", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		delete(w.net, "192.0.2.12")
	}, leads("www.example.com")},
	{"all servers are lame", func(w *world) {
		w.ns1.Misbehave(dnstest.Fault{Rcode: dns.RcodeRefused})
		w.ns2.Misbehave(dnstest.Fault{Rcode: dns.RcodeServerFailure})
		w.resolver.Misbehave(dnstest.Fault{Rcode: dns.RcodeServerFailure})
		w.resolver.MisbehaveAt("com", dnstest.Fault{})
		w.resolver.MisbehaveAt("registry.test", dnstest.Fault{})
		w.resolver.MisbehaveAt("example.com", dnstest.Fault{Rcode: dns.RcodeServerFailure})
	}, issued("www.example.com", "letsencrypt.org")},
	{"the registry delegates to servers without an address", func(w *world) {
		w.registry.Set("example.com", "NS", 3600, "ns.nowhere.test.")
		w.resolver.MisbehaveAt("example.com", dnstest.Fault{Rcode: dns.RcodeServerFailure})
	}, leads("www.example.com")},
	{"only the resolver can be reached", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		for _, addr := range []string{"192.0.2.10", "192.0.2.11", "192.0.2.12"} {
			delete(w.net, addr)
		}
	}, issued("www.example.com", "letsencrypt.org")},
	{"only the resolver can be reached, wrong", func(w *world) {
		w.set("www.example.com", "A", 300, other)
		delete(w.net, "192.0.2.10")
	}, leads("www.example.com")},
	{"only the resolver can be reached, not registered", func(w *world) {
		delete(w.net, "192.0.2.10")
	}, leads("www.exmaple.com")},
	{"nothing can be reached", func(w *world) { clear(w.net) }, leads("www.example.com")},
	{"DNSSEC is broken", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.resolver.MisbehaveAt("www.example.com", dnstest.Fault{Bogus: true})
	}, leads("www.example.com")},
	{"a wildcard", func(w *world) { w.set("*.example.com", "CNAME", 300, "edge.anchor.test.") }, leads("*.example.com")},
	{"a wildcard that is missing", func(w *world) { w.set("www.example.com", "A", 300, edge) }, leads("*.shop.example.com")},
	{"a wildcard elsewhere", func(w *world) { w.set("*.example.com", "A", 300, other) }, leads("*.example.com")},
	{"a delegated subdomain", func(w *world) {
		w.set("shop.example.com", "NS", 300, "ns3.dns.test.")
		ns3 := dnstest.Start(w.t)
		ns3.Zone("shop.example.com", "ns3.dns.test")
		ns3.Set("shop.example.com", "CNAME", 300, "edge.anchor.test.")
		w.registry.Set("ns3.dns.test", "A", 300, "192.0.2.13")
		w.net["192.0.2.13"] = ns3
	}, leads("shop.example.com")},
	{"truncated answers, no EDNS, forged packets", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.registry.Misbehave(dnstest.Fault{Stray: true})
		w.ns1.Misbehave(dnstest.Fault{Truncate: true})
		w.ns2.Misbehave(dnstest.Fault{NoEDNS: true})
	}, leads("www.example.com")},

	{"servers that do not implement EDNS", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.ns1.Misbehave(dnstest.Fault{NoEDNS: true, Rcode: dns.RcodeNotImplemented})
		w.ns2.Misbehave(dnstest.Fault{NoEDNS: true, Rcode: dns.RcodeNotImplemented})
	}, leads("www.example.com")},

	{"TXT: missing", func(*world) {}, needs("_anchor-challenge.www.example.com", "TXT", "token-1")},
	{"TXT: right, with others beside", func(w *world) {
		w.set("_anchor-challenge.www.example.com", "TXT", 300, "v=spf1 -all", "token-1")
	}, needs("_anchor-challenge.www.example.com", "TXT", "token-1")},
	{"TXT: wrong", func(w *world) { w.set("_anchor-challenge.www.example.com", "TXT", 300, "token-0") }, needs("_anchor-challenge.www.example.com", "TXT", "token-1")},
	{"TXT: with quotation marks", func(w *world) { w.set("_anchor-challenge.www.example.com", "TXT", 300, `"token-1"`) }, needs("_anchor-challenge.www.example.com", "TXT", "token-1")},
	{"TXT: at a doubled name", func(w *world) {
		w.set("_anchor-challenge.www.example.com.example.com", "TXT", 300, "token-1")
	}, needs("_anchor-challenge.www.example.com", "TXT", "token-1")},
	{"TXT: longer than one string", func(w *world) {
		w.set("_anchor-challenge.www.example.com", "TXT", 300, strings.Repeat("0123456789", 40))
	}, needs("_anchor-challenge.www.example.com", "TXT", strings.Repeat("0123456789", 40))},
	{"TXT: delegated by an alias", func(w *world) {
		w.set("_acme-challenge.www.example.com", "CNAME", 300, "proof.dns.test.")
		w.registry.Set("proof.dns.test", "TXT", 60, "token-1")
	}, needs("_acme-challenge.www.example.com", "TXT", "token-1")},
	{"TXT: one server is behind", func(w *world) {
		w.ns2.Set("_anchor-challenge.www.example.com", "TXT", 300, "token-1")
	}, needs("_anchor-challenge.www.example.com", "TXT", "token-1")},
	{"TXT: cached", func(w *world) {
		w.set("_anchor-challenge.www.example.com", "TXT", 300, "token-1")
		w.resolver.Cache("_anchor-challenge.www.example.com", "TXT", 42)
	}, needs("_anchor-challenge.www.example.com", "TXT", "token-1")},
	{"CNAME: right in another case", func(w *world) {
		w.set("_ab12.www.example.com", "CNAME", 300, "_CD34.ACM-validations.aws.")
	}, needs("_ab12.www.example.com", "CNAME", "_cd34.acm-validations.aws.")},
	{"CNAME: the domain was appended to the value", func(w *world) {
		w.set("_ab12.www.example.com", "CNAME", 300, "_cd34.acm-validations.aws.example.com.")
	}, needs("_ab12.www.example.com", "CNAME", "_cd34.acm-validations.aws.")},
	{"CNAME: wrong", func(w *world) {
		w.set("_ab12.www.example.com", "CNAME", 300, "_ef56.acm-validations.aws.")
	}, needs("_ab12.www.example.com", "CNAME", "_cd34.acm-validations.aws.")},

	{"CAA: none", func(w *world) { w.set("www.example.com", "A", 300, edge) }, issued("www.example.com", "letsencrypt.org")},
	{"CAA: forbids, at the parent", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.set("example.com", "CAA", 300, `0 issue "digicert.com"`, `0 iodef "mailto:a@example.com"`)
	}, issued("www.example.com", "letsencrypt.org", "pki.goog")},
	{"CAA: allows one of two", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.set("example.com", "CAA", 300, `0 issue "digicert.com"`, `0 issue "PKI.goog"`)
	}, issued("www.example.com", "letsencrypt.org", "pki.goog")},
	{"CAA: the nearest counts", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.set("www.example.com", "CAA", 300, `0 issue "letsencrypt.org"`)
		w.set("example.com", "CAA", 300, `0 issue ";"`)
	}, issued("www.example.com", "letsencrypt.org")},
	{"CAA: forbids everybody", func(w *world) {
		w.set("example.com", "A", 300, edge)
		w.set("example.com", "CAA", 300, `0 issue ";"`)
	}, issued("example.com", "letsencrypt.org")},
	{"CAA: allows under conditions", func(w *world) {
		w.set("example.com", "A", 300, edge)
		w.set("example.com", "CAA", 300, `0 issue "letsencrypt.org; validationmethods=dns-01"`)
	}, issued("example.com", "letsencrypt.org")},
	{"CAA: wildcards are ruled apart", func(w *world) {
		w.set("*.example.com", "A", 300, edge)
		w.set("example.com", "CAA", 300, `0 issue "letsencrypt.org"`, `0 issuewild ";"`)
	}, issued("*.example.com", "letsencrypt.org")},
	{"CAA: an unknown critical property", func(w *world) {
		w.set("example.com", "A", 300, edge)
		w.set("example.com", "CAA", 300, `0 issue "letsencrypt.org"`, `128 tbs "unknown"`)
	}, issued("example.com", "letsencrypt.org")},
	{"CAA: servers fail", func(w *world) {
		w.set("www.example.com", "A", 300, edge)
		w.set("example.com", "CAA", 300, `0 issue "letsencrypt.org"`)
		for _, s := range w.servers() {
			s.MisbehaveAt("example.com", dnstest.Fault{Rcode: dns.RcodeServerFailure})
			s.MisbehaveAt("www.example.com", dnstest.Fault{})
		}
		w.resolver.MisbehaveAt("example.com", dnstest.Fault{Rcode: dns.RcodeServerFailure})
		w.resolver.MisbehaveAt("www.example.com", dnstest.Fault{})
	}, issued("www.example.com", "letsencrypt.org")},
	{"everything at once", func(w *world) {
		w.set("www.example.com", "A", 300, other)
		w.set("_ab12.www.example.com", "CNAME", 300, "_cd34.acm-validations.aws.")
		w.set("example.com", "CAA", 300, `0 issue "digicert.com"`)
	}, domains.Need{
		Name:    "www.example.com",
		Target:  leads("www.example.com").Target,
		Records: []anchor.DNSRecord{{Name: "_ab12.www.example.com", Type: "CNAME", Value: "_cd34.acm-validations.aws"}, {Name: "_anchor-challenge.example.com", Type: "TXT", Value: "token-1"}},
		Issuers: []string{"amazon.com"},
	}},
}

func TestDiagnose_Situations(t *testing.T) {
	got := make([]string, len(situations))
	var wg sync.WaitGroup
	for i, s := range situations {
		w := newWorld(t)
		s.set(w)
		wg.Go(func() { got[i] = render(s, w.diagnose(t, s.need)) })
	}
	wg.Wait()
	all := strings.Join(got, "\n")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(all), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	expected, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(expected), "\n"), strings.Split(all, "\n")); diff != "" {
		t.Errorf("the findings differ from %s (-want +got):\n%s", golden, diff)
	}
}

func render(s situation, d domains.Diagnosis) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\nok: %t\n", s.title, d.OK)
	for _, f := range d.Checks {
		fmt.Fprintf(&b, "%s: %s %s %s\n", f.State, f.Record.Name, f.Record.Type, f.Record.Value)
		if len(f.Found) > 0 {
			fmt.Fprintf(&b, "  found %s\n", strings.Join(f.Found, ", "))
		}
		if f.RetryIn > 0 {
			fmt.Fprintf(&b, "  retry in %d s\n", f.RetryIn)
		}
		fmt.Fprintf(&b, "  %s\n", f.Detail)
	}
	return b.String()
}

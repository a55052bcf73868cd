package dnscheck_test

import (
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/domains/dnscheck"
	"github.com/anchor-deploy/anchor/internal/domains/dnscheck/dnstest"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

const (
	edge  = "192.0.2.1"
	edge6 = "2001:db8::1"
	other = "198.51.100.7"
)

// world is a small DNS: the registry of com and test, the two servers of
// example.com, and a resolver. Servers are reached by their addresses in net.
type world struct {
	t *testing.T

	registry, ns1, ns2, resolver *dnstest.Server

	net dnstest.Net
	cfg dnscheck.Config
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, registry: dnstest.Start(t), ns1: dnstest.Start(t), ns2: dnstest.Start(t)}
	w.resolver = dnstest.StartResolver(t, w.registry, w.ns1)
	w.net = dnstest.Net{
		"192.0.2.10": w.registry, "192.0.2.11": w.ns1, "192.0.2.12": w.ns2, "192.0.2.53": w.resolver,
	}
	w.cfg = dnscheck.Config{Resolvers: []string{"192.0.2.53"}, Dial: w.net.Dial, Timeout: 5 * time.Second, Budget: time.Minute}

	w.registry.Zone("com", "a.registry.test")
	w.registry.Zone("test", "a.registry.test")
	w.registry.Set("a.registry.test", "A", 3600, "192.0.2.10")
	w.registry.Set("example.com", "NS", 172800, "ns1.dns.test.", "ns2.dns.test.")
	w.registry.Set("ns1.dns.test", "A", 3600, "192.0.2.11")
	w.registry.Set("ns2.dns.test", "A", 3600, "192.0.2.12")
	w.registry.Set("edge.anchor.test", "A", 60, edge)
	w.registry.Set("edge.anchor.test", "AAAA", 60, edge6)
	for _, s := range w.servers() {
		s.Zone("example.com", "ns1.dns.test", "ns2.dns.test")
	}
	return w
}

func (w *world) servers() []*dnstest.Server { return []*dnstest.Server{w.ns1, w.ns2} }

// set sets a record at both servers of example.com.
func (w *world) set(name, typ string, ttl int, values ...string) {
	for _, s := range w.servers() {
		s.Set(name, typ, ttl, values...)
	}
}

func (w *world) diagnose(t *testing.T, need domains.Need) domains.Diagnosis {
	t.Helper()
	d, err := dnscheck.New(w.cfg).Diagnose(t.Context(), need)
	if err != nil {
		t.Fatalf("Diagnose(%s): %v", need.Name, err)
	}
	return d
}

// leads is the need of a name that has to lead to the edge.
func leads(name string) domains.Need {
	return domains.Need{Name: name, Target: []anchor.DNSRecord{
		{Name: name, Type: "A", Value: edge},
		{Name: name, Type: "CNAME", Value: "edge.anchor.test"},
	}}
}

func needs(name, typ, value string) domains.Need {
	return domains.Need{Name: "www.example.com", Records: []anchor.DNSRecord{{Name: name, Type: typ, Value: value}}}
}

func issued(name string, issuers ...string) domains.Need {
	need := leads(name)
	need.Issuers = issuers
	return need
}

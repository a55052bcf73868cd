package dnstest_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/domains/dnscheck/dnstest"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

// goResolver is Go's own stub resolver over s, a client independent of dnstest.
func goResolver(s *dnstest.Server) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, s.Addr())
	}}
}

func ask(t *testing.T, s *dnstest.Server, network, name, typ string) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(dns.Fqdn(name), dns.StringToType[typ])
	reply, _, err := (&dns.Client{Net: network}).Exchange(m, s.Addr())
	if err != nil {
		t.Fatalf("%s %s by %s: %v", name, typ, network, err)
	}
	return reply
}

// said formats a reply's records without their TTLs.
func said(rrs []dns.RR) string {
	var all []string
	for _, rr := range rrs {
		f := strings.Fields(rr.String())
		all = append(all, strings.Join(append(f[:1:1], f[3:]...), " "))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func TestServer_AnswersKnownRecords(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("shop.example.com", "A", 60, "127.0.0.1")
	s.Set("www.example.com", "CNAME", 60, "shop.example.com.")
	s.Set("_acme-challenge.example.com", "TXT", 60, "token \"1\" \\ é", strings.Repeat("x", 300))
	r := goResolver(s)
	addrs, err := r.LookupHost(t.Context(), "www.example.com")
	if err != nil || !slices.Equal(addrs, []string{"127.0.0.1"}) {
		t.Errorf("www.example.com is %v, %v", addrs, err)
	}
	texts, err := r.LookupTXT(t.Context(), "_acme-challenge.example.com")
	slices.Sort(texts)
	if err != nil || !slices.Equal(texts, []string{"token \"1\" \\ é", strings.Repeat("x", 300)}) {
		t.Errorf("the TXT values are %q, %v", texts, err)
	}
	var missing *net.DNSError
	if _, err := r.LookupHost(t.Context(), "gone.example.com"); !errors.As(err, &missing) || !missing.IsNotFound {
		t.Errorf("gone.example.com: %v", err)
	}
	s.Set("shop.example.com", "A", 60)
	if reply := ask(t, s, "udp", "shop.example.com", "A"); reply.Rcode != dns.RcodeNameError {
		t.Errorf("a removed name is %s", dns.RcodeToString[reply.Rcode])
	}
}

func TestServer_AuthoritativeAnswers(t *testing.T) {
	s := dnstest.Start(t)
	s.Zone("example.com", "ns1.example.com")
	s.Set("*.example.com", "A", 60, "192.0.2.1")
	s.Set("a.b.example.com", "A", 60, "192.0.2.2")
	s.Set("sub.example.com", "NS", 60, "ns.sub.example.com.")
	s.Set("ns.sub.example.com", "A", 60, "192.0.2.3")
	s.Set("out.example.com", "CNAME", 60, "elsewhere.test.")
	for _, c := range []struct {
		name, typ         string
		rcode             int
		authoritative     bool
		answer, ns, extra string
	}{
		{"example.com", "NS", 0, true, "example.com. NS ns1.example.com.", "", ""},
		{"any.example.com", "A", 0, true, "any.example.com. A 192.0.2.1", "", ""},
		{"any.example.com", "TXT", 0, true, "", "SOA", ""},
		{"b.example.com", "A", 0, true, "", "SOA", ""},
		{"c.b.example.com", "A", dns.RcodeNameError, true, "", "SOA", ""},
		{"www.sub.example.com", "A", 0, false, "", "sub.example.com. NS ns.sub.example.com.", "ns.sub.example.com. A 192.0.2.3"},
		{"out.example.com", "A", 0, true, "out.example.com. CNAME elsewhere.test.", "", ""},
		{"example.net", "A", dns.RcodeRefused, false, "", "", ""},
	} {
		for _, network := range []string{"udp", "tcp"} {
			r := ask(t, s, network, c.name, c.typ)
			if r.Rcode != c.rcode || r.Authoritative != c.authoritative || said(r.Answer) != c.answer || said(r.Extra) != c.extra {
				t.Errorf("%s %s by %s:\n%v", c.name, c.typ, network, r)
			}
			ns := said(r.Ns)
			if c.ns == "SOA" && strings.HasPrefix(ns, "example.com. SOA ") {
				ns = "SOA"
			}
			if ns != c.ns {
				t.Errorf("%s %s by %s: the authority section is %q", c.name, c.typ, network, ns)
			}
		}
	}
}

func TestServer_ResolvesAndCaches(t *testing.T) {
	com, example := dnstest.Start(t), dnstest.Start(t)
	com.Zone("com")
	com.Set("edge.com", "A", 60, "192.0.2.1")
	example.Zone("example.com")
	example.Set("www.example.com", "CNAME", 60, "edge.com.")
	r := dnstest.StartResolver(t, com, example)
	if got := said(ask(t, r, "udp", "www.example.com", "A").Answer); got != "edge.com. A 192.0.2.1, www.example.com. CNAME edge.com." {
		t.Errorf("www.example.com is %s", got)
	}
	r.Cache("www.example.com", "A", 99, "192.0.2.9")
	reply := ask(t, r, "udp", "www.example.com", "A")
	if got := said(reply.Answer); got != "www.example.com. A 192.0.2.9" || reply.Answer[0].Header().Ttl != 99 {
		t.Errorf("cached, www.example.com is %v", reply.Answer)
	}
	r.Cache("www.example.com", "A", 42)
	if reply := ask(t, r, "udp", "www.example.com", "A"); len(reply.Answer) > 0 || len(reply.Ns) == 0 || reply.Ns[0].Header().Ttl != 42 {
		t.Errorf("with a cached denial, www.example.com is\n%v", reply)
	}
	r.Cache("www.example.com", "A", -1)
	if got := ask(t, r, "udp", "www.example.com", "A").Answer; len(got) != 2 {
		t.Errorf("forgotten, www.example.com is %v", got)
	}
}

func TestServer_Misbehaves(t *testing.T) {
	s := dnstest.Start(t)
	s.Set("www.example.com", "A", 60, "192.0.2.1")
	s.Misbehave(dnstest.Fault{Truncate: true})
	if r := ask(t, s, "udp", "www.example.com", "A"); !r.Truncated || len(r.Answer) > 0 {
		t.Errorf("not truncated:\n%v", r)
	}
	if r := ask(t, s, "tcp", "www.example.com", "A"); r.Truncated || len(r.Answer) != 1 {
		t.Errorf("truncated over TCP:\n%v", r)
	}
	s.MisbehaveAt("example.com", dnstest.Fault{Rcode: dns.RcodeServerFailure})
	if r := ask(t, s, "udp", "www.example.com", "A"); r.Rcode != dns.RcodeServerFailure {
		t.Errorf("no SERVFAIL below a broken name:\n%v", r)
	}
	if n := s.Asked("WWW.example.com.", "A"); n != 3 {
		t.Errorf("%d questions were counted, not 3", n)
	}
}

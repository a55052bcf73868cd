package dnscheck

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestRegistrable(t *testing.T) {
	for name, domain := range map[string]string{
		"www.example.com.":        "example.com.",
		"example.com.":            "example.com.",
		"com.":                    "com.",
		"a.b.example.co.uk.":      "example.co.uk.",
		"app.somebody.github.io.": "github.io.", // its private section is for cookies, not for registrars
		"x.s3.amazonaws.com.":     "amazonaws.com.",
		"shop.example.internal.":  "example.internal.",
		"xn--bcher-kva.example.":  "xn--bcher-kva.example.",
		"localhost.":              "localhost.",
		"a.b.city2.kawasaki.jp.":  "b.city2.kawasaki.jp.",
	} {
		if got := registrableDomain(name); got != domain {
			t.Errorf("registrable(%s) = %s, not %s", name, got, domain)
		}
	}
}

func TestHost(t *testing.T) {
	for _, c := range [][3]string{
		{"example.com", "example.com.", "@"},
		{"WWW.example.com", "example.com.", "www"},
		{"*.example.com", "example.com.", "*"},
		{"_a.b.example.com", "example.com.", "_a.b"},
		{"notexample.com", "example.com.", "notexample.com"},
	} {
		if got := hostPart(c[0], c[1]); got != c[2] {
			t.Errorf("host(%s, %s) = %s, not %s", c[0], c[1], got, c[2])
		}
	}
}

func TestPermits(t *testing.T) {
	ours := []string{"letsencrypt.org", "pki.goog"}
	for _, c := range []struct {
		set         []string
		plain, wild bool
	}{
		{nil, true, true},
		{[]string{`0 iodef "mailto:x@y"`}, true, true},
		{[]string{`0 issue "letsencrypt.org"`}, true, true},
		{[]string{`0 issue " LetsEncrypt.org ; a=b "`}, true, true},
		{[]string{`0 issue "digicert.com"`, `0 issue "pki.goog"`}, true, true},
		{[]string{`0 issue "digicert.com"`}, false, false},
		{[]string{`0 issue ""`}, false, false},
		{[]string{`0 issue ";"`}, false, false},
		{[]string{`0 issue "letsencrypt.org; broken"`}, false, false},
		{[]string{`0 issue "letsencrypt.org pki.goog"`}, false, false},
		{[]string{`0 issuewild "digicert.com"`}, true, false},
		{[]string{`0 issue ";"`, `0 issuewild "pki.goog"`}, false, true},
		{[]string{`128 issue "letsencrypt.org"`}, true, true},
		{[]string{`0 future "x"`}, true, true},
		{[]string{`128 future "x"`, `0 issue "letsencrypt.org"`}, false, false},
		{[]string{`0 notletsencrypt "x"`, `0 issue "xletsencrypt.org"`}, false, false},
	} {
		var set []property
		for _, text := range c.set {
			p, ok := parseProperty(text)
			if !ok {
				t.Fatalf("parseProperty(%s) failed", text)
			}
			set = append(set, p)
		}
		if got := permissionOf(set, ours, false).allowed; got != c.plain {
			t.Errorf("%q: a plain name is allowed: %t", c.set, got)
		}
		if got := permissionOf(set, ours, true).allowed; got != c.wild {
			t.Errorf("%q: a wildcard is allowed: %t", c.set, got)
		}
	}
}

func TestCDNs(t *testing.T) {
	for _, c := range cdns[:3] {
		if len(c.ranges) < 20 {
			t.Errorf("%s has %d ranges", c.name, len(c.ranges))
		}
	}
	for addr, name := range map[string]string{
		"104.16.0.1": "Cloudflare", "2606:4700::1": "Cloudflare", "151.101.1.1": "Fastly", "13.32.4.4": "CloudFront", "2600:9000:2000::1": "CloudFront",
	} {
		if c := cdnOf(addr); c == nil || c.name != name {
			t.Errorf("cdnOf(%s) = %v, not %s", addr, c, name)
		}
	}
	for _, addr := range []string{"192.0.2.1", "104.32.0.1", "2001:db8::1", "nonsense"} {
		if c := cdnOf(addr); c != nil {
			t.Errorf("cdnOf(%s) = %s", addr, c.name)
		}
	}
	if c := cdnOfName("d1.cloudfront.net."); c == nil || c.name != "CloudFront" {
		t.Errorf("cdnOfName(d1.cloudfront.net.) = %v", c)
	}
	if c := cdnOfName("notcloudfront.net."); c != nil {
		t.Errorf("cdnOfName(notcloudfront.net.) = %s", c.name)
	}
}

func TestSystemResolvers(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	if err := os.WriteFile(file, []byte("search lan\nnameserver 192.0.2.53\nnameserver 2001:db8::53\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"192.0.2.53:53", "[2001:db8::53]:53"}, systemResolvers(file)); diff != "" {
		t.Errorf("resolvers of a resolv.conf (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"127.0.0.1:53", "[::1]:53"}, systemResolvers(file+".gone")); diff != "" {
		t.Errorf("resolvers without a resolv.conf (-want +got):\n%s", diff)
	}
}

// Reading whatever a server sends ends, and returns values in canonical order.
func FuzzReadReply(f *testing.F) {
	seed := new(dns.Msg)
	seed.SetQuestion("www.example.com.", dns.TypeA)
	for _, text := range []string{
		"www.example.com. 60 IN CNAME www.example.com.", "www.example.com. 60 IN A 192.0.2.1",
		`www.example.com. 60 IN CAA 128 issue "ca.example; a=b"`, `www.example.com. 60 IN TXT "a\"b\200" "c"`, "example.com. 60 IN NS ns.example.com.",
	} {
		rr, err := dns.NewRR(text)
		if err != nil {
			f.Fatal(err)
		}
		seed.Answer = append(seed.Answer, rr)
		wire, err := seed.Pack()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(wire)
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		reply := new(dns.Msg)
		if reply.Unpack(wire) != nil {
			return
		}
		explainTrouble(reply, nil)
		remainingTTL(reply)
		referredZone(reply, ".", "www.example.com.")
		for _, typ := range []uint16{dns.TypeA, dns.TypeAAAA, dns.TypeCNAME, dns.TypeTXT, dns.TypeCAA, dns.TypeNS} {
			readChain(reply.Answer, "www.example.com.", typ)
			v := view{}
			v.readReply(reply, query{name: "www.example.com.", typ: typ})
			if !slices.IsSorted(v.values) {
				t.Errorf("%q are not sorted", v.values)
			}
			for _, text := range v.values {
				if _, ok := parseProperty(text); typ == dns.TypeCAA && !ok {
					t.Errorf("the CAA record %q cannot be read back", text)
				}
			}
		}
	})
}

// A TXT value comes back from the wire as the octets that were sent.
func FuzzTXT(f *testing.F) {
	f.Add("token-1")
	f.Add("with \"quotes\", a \\ and \x00\xff")
	f.Add(strings.Repeat("long", 100))
	f.Fuzz(func(t *testing.T, value string) {
		if len(value) > 4000 {
			return
		}
		wire := []byte{1, 'x', 0, 0, byte(dns.TypeTXT), 0, dns.ClassINET, 0, 0, 0, 60}
		var body []byte
		for part := range slices.Chunk([]byte(value), 255) {
			body = append(append(body, byte(len(part))), part...)
		}
		if len(body) == 0 {
			body = []byte{0}
		}
		wire = append(append(wire, byte(len(body)>>8), byte(len(body))), body...)
		rr, _, err := dns.UnpackRR(wire, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := canonicalData(rr); got != value || got != canonicalValue(anchor.DNSRecord{Type: "TXT", Value: value}) {
			t.Errorf("%q came back as %q", value, got)
		}
	})
}

// A CAA value permits only the CA that it names.
func FuzzPermits(f *testing.F) {
	f.Add("letsencrypt.org", false)
	f.Add("letsencrypt.org; accounturi=https://x", true)
	f.Add(";", false)
	f.Fuzz(func(t *testing.T, value string, wild bool) {
		p := permissionOf([]property{{tag: "issue", value: value}}, []string{"letsencrypt.org"}, wild)
		if p.allowed && !strings.Contains(strings.ToLower(value), "letsencrypt.org") {
			t.Errorf("%q lets letsencrypt.org issue", value)
		}
	})
}

// Values are compared alike however they are written.
func FuzzCanonical(f *testing.F) {
	f.Add("A", "192.0.2.1")
	f.Add("AAAA", "2001:DB8:0::1")
	f.Add("CNAME", "Edge.Example.COM")
	f.Fuzz(func(t *testing.T, typ, value string) {
		once := canonicalValue(anchor.DNSRecord{Type: typ, Value: value})
		if twice := canonicalValue(anchor.DNSRecord{Type: typ, Value: once}); twice != once {
			t.Errorf("%s %q is %q and then %q", typ, value, once, twice)
		}
		cdnOf(value)
		hostPart(value, "example.com.")
	})
}

package acme

import (
	"crypto/tls"
	"strings"
	"testing"
	"time"
)

func hello(name string) *tls.ClientHelloInfo {
	return &tls.ClientHelloInfo{ServerName: name, SupportedProtos: []string{"h2", "http/1.1"}}
}

// imported returns a manager with imported certificates for names, and no CA.
func imported(t testing.TB, hot int, names ...string) *Manager {
	t.Helper()
	m := open(t, Config{Dir: t.TempDir(), CA: "https://127.0.0.1:1/dir", Hot: hot})
	for _, name := range names {
		chain, key := selfMade(t, nil, name)
		if _, err := m.Import(t.Context(), named(name), chain, key); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func TestGetCertificate_ServerName(t *testing.T) {
	t.Parallel()
	m := imported(t, 0, "shop.example.com", "xn--bcher-kva.de", "*.wild.example.com")
	for sni, want := range map[string]string{
		"shop.example.com": "shop.example.com", "SHOP.Example.COM": "shop.example.com", "shop.example.com.": "shop.example.com",
		"bücher.de": "xn--bcher-kva.de", "BÜCHER.de": "xn--bcher-kva.de", "xn--bcher-kva.de": "xn--bcher-kva.de",
		"a.wild.example.com": "*.wild.example.com",
		"":                   "", ".": "", "example.com": "", "other.example.com": "", "wild.example.com": "", "a.b.wild.example.com": "",
		"*.wild.example.com": "", "shop.example.com..": "", "shop.example.com\x00": "", "127.0.0.1": "",
		strings.Repeat("a", 300): "", "..": "", "\xff\xfe": "",
	} {
		cert, err := m.GetCertificate(hello(sni))
		if err != nil {
			t.Errorf("%q: %v", sni, err)
			continue
		}
		got := ""
		if cert != nil {
			got = cert.Leaf.DNSNames[0]
		}
		if got != want {
			t.Errorf("SNI %q gets %q, want %q", sni, got, want)
		}
	}
}

// A certificate that names somebody else's host is served for its own host only.
func TestGetCertificate_NeverForAnotherName(t *testing.T) {
	t.Parallel()
	m := imported(t, 0, "victim.example.com")
	chain, key := selfMade(t, nil, "thief.example.net", "victim.example.com", "*.example.com")
	if _, err := m.Import(t.Context(), named("thief.example.net"), chain, key); err != nil {
		t.Fatal(err)
	}
	for sni, names := range map[string]int{"thief.example.net": 3, "victim.example.com": 1} {
		cert, err := m.GetCertificate(hello(sni))
		if err != nil || cert == nil || len(cert.Leaf.DNSNames) != names {
			t.Errorf("%s gets %v, %v", sni, cert, err)
		}
	}
	if cert, _ := m.GetCertificate(hello("other.example.com")); cert != nil {
		t.Error("a name nobody attached gets a certificate")
	}
}

// Many names, few in memory: all are served.
func TestGetCertificate_ReadsColdCertificates(t *testing.T) {
	t.Parallel()
	var names []string
	for _, c := range "abcdefghij" {
		names = append(names, string(c)+".example.com")
	}
	m := imported(t, 3, names...)
	for range 3 {
		for _, name := range names {
			cert, err := m.GetCertificate(hello(name))
			if err != nil || cert == nil || cert.Leaf.DNSNames[0] != name {
				t.Fatalf("%s: %v, %v", name, cert, err)
			}
			if kept := m.hot.len(); kept > 3 {
				t.Fatalf("%d certificates in memory, want at most 3", kept)
			}
		}
	}
}

// Certificates in the folder are served after a restart, before Ensure is called.
func TestGetCertificate_AfterRestart(t *testing.T) {
	t.Parallel()
	m := imported(t, 0, "shop.example.com", "*.wild.example.com")
	m.Close()
	again, err := New(m.cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	for _, sni := range []string{"shop.example.com", "x.wild.example.com"} {
		if cert, err := again.GetCertificate(hello(sni)); err != nil || cert == nil {
			t.Errorf("%s: %v, %v", sni, cert, err)
		}
	}
}

func TestRenew_Time(t *testing.T) {
	t.Parallel()
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	to := from.Add(90 * 24 * time.Hour)
	seen := map[time.Time]bool{}
	for _, name := range []string{"a.example.com", "b.example.com", "c.example.com"} {
		at := renewalTime(name, from, to)
		seen[at] = true
		if at.Before(from.Add(57*24*time.Hour)) || at.After(from.Add(60*24*time.Hour)) {
			t.Errorf("%s renews at %s", name, at)
		}
	}
	if len(seen) != 3 {
		t.Error("names renew at the same moment")
	}
}

func FuzzServerName(f *testing.F) {
	for _, s := range []string{"shop.example.com", "SHOP.example.com.", "a.wild.example.com", "*.wild.example.com", "xn--", "bücher.de", "..", "\x00", "shop.example.com\u3002"} {
		f.Add(s)
	}
	m := imported(f, 2, "shop.example.com", "*.wild.example.com")
	f.Fuzz(func(t *testing.T, sni string) {
		cert, err := m.GetCertificate(hello(sni))
		if err != nil {
			t.Fatalf("%q: %v", sni, err)
		}
		name, ok := normalName(sni)
		if again, still := normalName(name); ok && (!still || again != name) {
			t.Fatalf("%q is normal as %q, and that as %q", sni, name, again)
		}
		if cert == nil {
			return
		}
		if !ok || cert.Leaf.VerifyHostname(name) != nil {
			t.Fatalf("SNI %q gets the certificate of %v", sni, cert.Leaf.DNSNames)
		}
	})
}

func (l *lru[K, V]) len() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.order.Len()
}

package acme

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestImport_Refuses(t *testing.T) {
	t.Parallel()
	m := imported(t, 0)
	chain, key := selfMade(t, nil, "shop.example.com")
	other, otherKey := selfMade(t, nil, "other.example.com")
	expired, expiredKey := selfMade(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }, "shop.example.com")
	early, earlyKey := selfMade(t, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }, "shop.example.com")
	person, personKey := selfMade(t, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }, "shop.example.com")
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	weak, weakKey := selfSigned(t, small, nil, "shop.example.com")
	odd, oddKey := selfSigned(t, edwards, nil, "shop.example.com")
	for what, c := range map[string]struct {
		chain, key []byte
		says       string
	}{
		"P-224":         {weak, weakKey, "has 224 bits"},
		"Ed25519":       {odd, oddKey, "do not accept the Ed25519 key"},
		"no PEM":        {[]byte("hello"), key, "cannot be read"},
		"no key":        {chain, nil, "do not belong together"},
		"another's key": {chain, otherKey, "do not belong together"},
		"another name":  {other, otherKey, "not for shop.example.com"},
		"expired":       {expired, expiredKey, "is valid from"},
		"not yet valid": {early, earlyKey, "is valid from"},
		"for e-mail":    {person, personKey, "not a server certificate"},
		"a torn chain":  {append(append([]byte{}, chain...), other...), key, "was not signed by"},
		"a huge one":    {make([]byte, maxImported+1), key, "larger than"},
	} {
		_, err := m.Import(t.Context(), named("shop.example.com"), c.chain, c.key)
		if !errors.Is(err, anchor.ErrInvalid) || !strings.Contains(err.Error(), c.says) || anchor.HintOf(err) == "" {
			t.Errorf("%s: %v (hint %q), want Invalid with %q", what, err, anchor.HintOf(err), c.says)
		}
	}
	if cert, _ := m.GetCertificate(hello("shop.example.com")); cert != nil {
		t.Error("a refused certificate is served")
	}
}

func TestImport_ServedReplacedAndReleased(t *testing.T) {
	t.Parallel()
	m := imported(t, 0, "shop.example.com")
	first, _ := m.GetCertificate(hello("shop.example.com"))
	chain, key := selfMade(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(48 * time.Hour) }, "shop.example.com")
	c, err := m.Import(t.Context(), named("shop.example.com"), chain, key)
	if err != nil || c.Status != anchor.CertIssued || !strings.Contains(c.Problem, "expires on") {
		t.Errorf("one that expires soon: %+v, %v", c, err)
	}
	second, _ := m.GetCertificate(hello("shop.example.com"))
	if first == nil || second == nil || first.Leaf.Equal(second.Leaf) {
		t.Error("the certificate was not replaced")
	}
	own := named("shop.example.com")
	own.OwnCert = true
	if c, err := m.Ensure(t.Context(), own); err != nil || c.Status != anchor.CertIssued {
		t.Errorf("Ensure: %+v, %v", c, err)
	}
	if info, err := os.Stat(m.imported.certPath("shop.example.com")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("file: %v, %v", info, err)
	}
	if err := m.Release(t.Context(), own); err != nil {
		t.Fatal(err)
	}
	if cert, _ := m.GetCertificate(hello("shop.example.com")); cert != nil {
		t.Error("served after release")
	}
	if _, err := m.Ensure(t.Context(), own); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("Ensure after release: %v, want NotFound", err)
	}
}

// An import ends the order under way, and the order does not continue after a restart: its
// certificate is no longer wanted.
func TestImport_EndsOrder(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	stopped := p.hang("/authZ/")
	cfg := p.config(t)
	cfg.Orders = 1
	first := open(t, cfg)
	f.serve(t, first)
	if _, err := first.Ensure(t.Context(), named("own.example.com")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-stopped:
	case <-time.After(testPatience):
		t.Fatal("no order was begun")
	}
	chain, key := selfMade(t, nil, "own.example.com")
	if _, err := first.Import(t.Context(), named("own.example.com"), chain, key); err != nil {
		t.Fatal(err)
	}
	first.Close()
	p.intercept(nil)

	m := open(t, cfg)
	f.serve(t, m)
	ensured(t, m, "issued.example.com") // runs after whatever was started before it
	if _, err := os.Stat(m.issued.certPath("own.example.com")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a certificate was issued that nobody asked for: %v", err)
	}
	if cert, err := m.GetCertificate(hello("own.example.com")); err != nil || cert == nil || len(cert.Certificate) != 1 {
		t.Errorf("the imported certificate is not served: %v", err)
	}
}

// The switch from an imported certificate to an issued one: the old one is served until the new one
// is there.
func TestImport_FollowedByIssued(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	m := open(t, p.config(t))
	f.serve(t, m)
	f.publish("own.example.com")
	chain, key := selfMade(t, nil, "own.example.com")
	if _, err := m.Import(t.Context(), named("own.example.com"), chain, key); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(testPatience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := m.Ensure(t.Context(), named("own.example.com")); err != nil {
			t.Fatal(err)
		}
		cert, err := m.GetCertificate(hello("own.example.com"))
		if err != nil || cert == nil {
			t.Fatalf("a gap: %v, %v", cert, err)
		}
		if len(cert.Certificate) > 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the issued certificate is not served")
		}
	}
	get(t, f.client(t, p), "https://own.example.com/")
}

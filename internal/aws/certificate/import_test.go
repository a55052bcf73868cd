package certificate_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// issuer signs certificates.
type issuer struct {
	t    *testing.T
	cert *x509.Certificate
	key  crypto.Signer
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{t: t, key: newKey(t, elliptic.P256())}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, i.key.Public(), i.key)
	if err != nil {
		t.Fatal(err)
	}
	if i.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return i
}

func newKey(t *testing.T, curve elliptic.Curve) crypto.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (i *issuer) issue(key crypto.Signer, end time.Time, names ...string) (chain, private []byte) {
	i.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: end, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, i.cert, key.Public(), i.key)
	if err != nil {
		i.t.Fatal(err)
	}
	text, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		i.t.Fatal(err)
	}
	for _, c := range [][]byte{der, i.cert.Raw} {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c})...)
	}
	return chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: text})
}

func TestImport_Serves(t *testing.T) {
	s := newStand(t)
	ca, key, end := newIssuer(t), newKey(t, elliptic.P256()), time.Now().Add(20*time.Hour)
	chain, private := ca.issue(key, end, "www.example.com")
	own := domains.Request{Domain: "www.example.com", Chain: chain, Key: private}
	s.add(s.shop, own)
	s.pass(time.Minute)
	h := s.must("www.example.com", anchor.HostActive)
	if h.NotAfter/1000 != end.Unix() || !h.OwnCert || h.DNSValidation != nil {
		t.Errorf("it is active as %+v", h)
	}
	before := s.tenants()["www.example.com"]

	chain, private = ca.issue(key, end.Add(time.Hour), "www.example.com")
	s.add(s.shop, domains.Request{Domain: "www.example.com", Chain: chain, Key: private})
	s.pass(time.Minute)
	again := s.must("www.example.com", anchor.HostActive)
	if after := s.tenants()["www.example.com"]; again.CertificateARN != h.CertificateARN || again.NotAfter == h.NotAfter || *after.ETag != *before.ETag {
		t.Errorf("the new one is not in the place of the old one: %+v, then %+v", h, again)
	}

	_, err := s.process().Import(t.Context(), again, []byte("no chain"), private)
	wantError(t, err, "bad_certificate")
	if n := len(s.certificates()); n != 1 {
		t.Errorf("there are %d certificates", n)
	}
	s.ok(s.service(s.process()).Remove(t.Context(), s.shop.ID, "www.example.com"))
	s.wantServed()
}

// TestImport_ReplacesIssuedCertificate also asserts that the issued one is deleted once it
// is unused.
func TestImport_ReplacesIssuedCertificate(t *testing.T) {
	s := newStand(t)
	issued := s.active(s.shop, "www.example.com").CertificateARN
	chain, private := newIssuer(t).issue(newKey(t, elliptic.P256()), time.Now().Add(20*time.Hour), "www.example.com")
	s.add(s.shop, domains.Request{Domain: "www.example.com", Chain: chain, Key: private})
	s.pass(time.Minute)
	s.pass(time.Minute)
	own := s.must("www.example.com", anchor.HostActive).CertificateARN
	all := s.certificates()
	if own == issued || all[own] == nil || all[issued] != nil {
		t.Errorf("there are %d certificates", len(all))
	}
	if got := *s.tenants()["www.example.com"].Customizations.Certificate.Arn; got != own {
		t.Errorf("it is served with %s", got)
	}
	if got := *s.distributions()[0].ViewerCertificate.ACMCertificateArn; got != own {
		t.Errorf("the distribution falls back on %s", got)
	}
}

func TestImport_Refuses(t *testing.T) {
	s := newStand(t)
	ca, key := newIssuer(t), newKey(t, elliptic.P256())
	tomorrow := time.Now().Add(24 * time.Hour)
	good, private := ca.issue(key, tomorrow, "www.example.com")
	expired, _ := ca.issue(key, time.Now().Add(-time.Hour), "www.example.com")
	other, _ := ca.issue(key, tomorrow, "other.example.com")
	_, stranger := ca.issue(newKey(t, elliptic.P256()), tomorrow, "www.example.com")
	big := newKey(t, elliptic.P521())
	curve, curveKey := ca.issue(big, tomorrow, "www.example.com")
	h := anchor.Hostname{ID: anchor.HostnameID(anchor.NewID()), ProjectID: s.shop.ID, Name: "www.example.com"}
	for name, test := range map[string]struct {
		chain, key []byte
		says       string
	}{
		"expired":              {expired, private, "Renew it"},
		"another name":         {other, private, "other.example.com"},
		"another's key":        {good, stranger, "belong together"},
		"no key":               {good, nil, "belong together"},
		"not for CloudFront":   {curve, curveKey, "P-256"},
		"the key in its place": {private, private, "come first"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.process().Import(t.Context(), h, test.chain, test.key)
			wantError(t, err, "bad_certificate", test.says)
		})
	}
	if n := len(s.certificates()); n != 0 {
		t.Errorf("%d certificates are there", n)
	}
}

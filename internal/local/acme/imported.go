package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"slices"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

const (
	// maxImported bounds chain and key together.
	maxImported = 256 << 10
	// expiresSoon is how long before the expiry the owner is reminded.
	expiresSoon = 30 * 24 * time.Hour
	// leastRSA and leastECDSA are the smallest keys that clients accept, in bits. They accept no
	// Ed25519 key (CA/Browser Forum Baseline Requirements, section 6.1.5).
	leastRSA, leastECDSA = 2048, 256
)

// Import implements domains.Certificates. The certificate replaces the one before and is served
// from now on.
func (m *Manager) Import(_ context.Context, h anchor.Hostname, chain, key []byte) (domains.Certificate, error) {
	name, err := m.checkName(h.Name)
	if err != nil {
		return domains.Certificate{}, err
	}
	now := time.Now()
	leaf, err := checkImported(name, chain, key, now)
	if err != nil {
		return domains.Certificate{}, err
	}
	if err := m.imported.writeCert(name, chain, key); err != nil {
		return domains.Certificate{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.names[name]
	if e == nil {
		e = &certState{name: name}
		m.names[name] = e
	}
	if e.work != nil {
		e.work.cancel()
		e.work = nil
	}
	m.dropFromMemory(e.leaf)
	e.imported = true
	e.setCertificate(leaf)
	return m.importedState(e, h, now), nil
}

func (m *Manager) importedState(e *certState, h anchor.Hostname, now time.Time) domains.Certificate {
	c := e.describeCert(h.ProjectID, now)
	switch left := e.notAfter.Sub(now); {
	case left <= 0:
		c.Problem = "The certificate you brought for " + h.Name + " has expired. Import its successor, or have one issued."
	case left < expiresSoon:
		c.Problem = "The certificate you brought for " + h.Name + " expires on " + e.notAfter.UTC().Format("2006-01-02") + ". Import its successor."
	}
	return c
}

// checkImported finds problems of a certificate before visitors do.
func checkImported(name string, chain, key []byte, now time.Time) (*x509.Certificate, error) {
	bad := func(format string, args ...any) *anchor.Error {
		return anchor.Invalid("bad_certificate", format, args...)
	}
	if len(chain)+len(key) > maxImported {
		return nil, bad("the certificate and key for %s are larger than %d KiB", name, maxImported>>10).
			Hintf("Send the leaf, its intermediates and one key, in PEM.")
	}
	certs, err := parseChain(chain)
	if err != nil {
		return nil, bad("the certificate for %s cannot be read", name).Because(err).
			Hintf("Pass the full chain in PEM: your certificate first, then the intermediates.")
	}
	leaf := certs[0]
	if _, err := tls.X509KeyPair(chain, key); err != nil {
		return nil, bad("the certificate and the key for %s do not belong together", name).Because(err).
			Hintf("The certificate of %s must come first, and the key must be the unencrypted PEM key that it was requested with.", name)
	}
	if !coversName(leaf, name) {
		return nil, bad("the certificate is for %v, not for %s", leaf.DNSNames, name).Hintf("Request a certificate that names %s.", name)
	}
	if now.After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return nil, bad("the certificate for %s is valid from %s to %s only", name,
			leaf.NotBefore.UTC().Format(time.DateOnly), leaf.NotAfter.UTC().Format(time.DateOnly)).Hintf("Renew it and import the new one.")
	}
	return leaf, errors.Join(checkUse(name, leaf), checkLinks(name, certs))
}

func checkUse(name string, leaf *x509.Certificate) error {
	bits, least := 0, leastECDSA
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		bits, least = key.N.BitLen(), leastRSA
	case *ecdsa.PublicKey:
		bits = key.Curve.Params().BitSize
	}
	if bits == 0 {
		return anchor.Invalid("bad_certificate", "browsers do not accept the %s key of the certificate for %s", leaf.PublicKeyAlgorithm, name).
			Hintf("Get a certificate for an ECDSA P-256 key.")
	}
	if bits < least {
		return anchor.Invalid("bad_certificate", "the %s key of %s has %d bits; browsers require %d", leaf.PublicKeyAlgorithm, name, bits, least).
			Hintf("Get a certificate for an ECDSA P-256 key.")
	}
	usable := len(leaf.ExtKeyUsage) == 0 || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny)
	if !usable {
		return anchor.Invalid("bad_certificate", "the certificate for %s is not a server certificate", name).
			Hintf("Request a certificate with the extended key usage serverAuth.")
	}
	return nil
}

// checkLinks checks that each certificate is signed by the next one.
func checkLinks(name string, certs []*x509.Certificate) error {
	for i, cert := range certs[:len(certs)-1] {
		if err := cert.CheckSignatureFrom(certs[i+1]); err != nil {
			return anchor.Invalid("bad_certificate", "certificate %d in the chain for %s was not signed by the one after it", i+1, name).
				Because(err).Hintf("Put them in order: your certificate, then each intermediate after the one it signed.")
		}
	}
	return nil
}

func coversName(leaf *x509.Certificate, name string) bool {
	if isWildcard(name) {
		return slices.Contains(leaf.DNSNames, name)
	}
	return leaf.VerifyHostname(name) == nil
}

// restoreImported attaches the names with an imported certificate, which takes precedence over an
// issued one.
func (m *Manager) restoreImported() error {
	names, err := m.imported.listNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		cert, err := m.imported.readCert(name)
		if err != nil {
			m.cfg.Log.Error("an imported certificate cannot be used; import it again", "domain", name, "error", err)
			continue
		}
		e := &certState{name: name, imported: true}
		e.setCertificate(cert.Leaf)
		m.names[name] = e
	}
	return nil
}

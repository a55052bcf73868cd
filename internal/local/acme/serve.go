package acme

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/mholt/acmez/v3"
)

// GetCertificate is for tls.Config.GetCertificate. It returns certificates of attached names only:
// the name's own, else that of the wildcard above it. For any other name, and without a
// certificate, it returns nil and no error, which crypto/tls turns into the alert unrecognized_name
// when the tls.Config has no certificates of its own.
func (m *Manager) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name, ok := normalName(hello.ServerName)
	if !ok {
		return nil, nil
	}
	if slices.Equal(hello.SupportedProtos, []string{acmez.ACMETLS1Protocol}) {
		return m.answers.challengeCert(name), nil
	}
	served, leaf := m.findServed(name)
	if served == "" {
		return nil, nil
	}
	if cert, ok := m.hot.get(leaf); ok {
		return m.withStaple(cert, leaf), nil
	}
	return m.loadCert(served)
}

// findServed returns the attached name that serves name, and the fingerprint of its certificate. An
// expired certificate is better than none: it shows the visitor what is wrong.
func (m *Manager) findServed(name string) (served string, leaf fingerprint) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	now := time.Now()
	e := m.names[name]
	if above, ok := parentWildcard(name); ok && (e == nil || !e.validAt(now)) {
		if w := m.names[above]; w != nil && w.validAt(now) {
			e = w
		}
	}
	if e == nil || e.notAfter.IsZero() {
		return "", leaf
	}
	return e.name, e.leaf
}

// withStaple returns cert with its OCSP response, if there is one.
func (m *Manager) withStaple(cert *tls.Certificate, leaf fingerprint) *tls.Certificate {
	staple := m.staples.stapleOf(leaf, time.Now())
	if staple == nil {
		return cert
	}
	served := *cert
	served.OCSPStaple = staple
	return &served
}

// loadCert reads a certificate that is not in memory. Concurrent handshakes share the read.
func (m *Manager) loadCert(name string) (*tls.Certificate, error) {
	loaded, err, _ := m.loads.Do(name, func() (any, error) { return m.readCert(name) })
	if err != nil {
		m.cfg.Log.Error("a certificate cannot be read", "domain", name, "error", err)
		return nil, err
	}
	cert, _ := loaded.(*tls.Certificate)
	return cert, nil
}

func (m *Manager) readCert(name string) (*tls.Certificate, error) {
	m.mu.RLock()
	e := m.names[name]
	own := e != nil && e.imported
	m.mu.RUnlock()
	if e == nil {
		return nil, fmt.Errorf("%s was removed", name)
	}
	folder := m.issued
	if own {
		folder = m.imported
	}
	cert, err := folder.readCert(name)
	if err != nil {
		return nil, err
	}
	m.keepInMemory(e, cert)
	return m.withStaple(cert, fingerprintOf(cert.Leaf)), nil
}

// keepInMemory stores the certificate of an entry in memory and drops the least recently used one beyond
// the limit. It does not keep a certificate that was replaced or released meanwhile.
func (m *Manager) keepInMemory(e *certState, cert *tls.Certificate) {
	leaf := fingerprintOf(cert.Leaf)
	m.staples.holdStaple(e.name, cert)
	if cold, ok := m.hot.put(leaf, cert); ok {
		m.staples.forgetStaple(cold)
	}
	m.mu.RLock()
	current := m.names[e.name] == e && e.leaf == leaf
	m.mu.RUnlock()
	if !current {
		m.dropFromMemory(leaf)
	}
}

// dropFromMemory removes a certificate from the memory.
func (m *Manager) dropFromMemory(leaf fingerprint) {
	m.hot.removeKey(leaf)
	m.staples.forgetStaple(leaf)
}

// currentLeaf returns the leaf of the issued certificate of a name, or nil when there is no usable
// one.
func (m *Manager) currentLeaf(name string) (*x509.Certificate, error) {
	cert, err := m.issued.readCert(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errDamaged) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return cert.Leaf, nil
}

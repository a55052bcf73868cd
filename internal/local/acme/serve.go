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
	name, ok := normal(hello.ServerName)
	if !ok {
		return nil, nil
	}
	if slices.Equal(hello.SupportedProtos, []string{acmez.ACMETLS1Protocol}) {
		return m.answers.certificate(name), nil
	}
	served, leaf := m.find(name)
	if served == "" {
		return nil, nil
	}
	if cert, ok := m.hot.get(leaf); ok {
		return m.stapled(cert, leaf), nil
	}
	return m.load(served)
}

// find returns the attached name that serves name, and the fingerprint of its certificate. An
// expired certificate is better than none: it shows the visitor what is wrong.
func (m *Manager) find(name string) (served string, leaf fingerprint) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	now := time.Now()
	e := m.names[name]
	if above, ok := parent(name); ok && (e == nil || !e.valid(now)) {
		if w := m.names[above]; w != nil && w.valid(now) {
			e = w
		}
	}
	if e == nil || e.notAfter.IsZero() {
		return "", leaf
	}
	return e.name, e.leaf
}

// stapled returns cert with its OCSP response, if there is one.
func (m *Manager) stapled(cert *tls.Certificate, leaf fingerprint) *tls.Certificate {
	staple := m.staples.of(leaf, time.Now())
	if staple == nil {
		return cert
	}
	served := *cert
	served.OCSPStaple = staple
	return &served
}

// load reads a certificate that is not in memory. Concurrent handshakes share the read.
func (m *Manager) load(name string) (*tls.Certificate, error) {
	loaded, err, _ := m.loads.Do(name, func() (any, error) { return m.read(name) })
	if err != nil {
		m.cfg.Log.Error("a certificate cannot be read", "domain", name, "error", err)
		return nil, err
	}
	cert, _ := loaded.(*tls.Certificate)
	return cert, nil
}

func (m *Manager) read(name string) (*tls.Certificate, error) {
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
	cert, err := folder.read(name)
	if err != nil {
		return nil, err
	}
	m.keep(e, cert)
	return m.stapled(cert, fingerprintOf(cert.Leaf)), nil
}

// keep stores the certificate of an entry in memory and drops the least recently used one beyond
// the limit. It does not keep a certificate that was replaced or released meanwhile.
func (m *Manager) keep(e *certState, cert *tls.Certificate) {
	leaf := fingerprintOf(cert.Leaf)
	m.staples.hold(e.name, cert)
	if cold, ok := m.hot.put(leaf, cert); ok {
		m.staples.forget(cold)
	}
	m.mu.RLock()
	current := m.names[e.name] == e && e.leaf == leaf
	m.mu.RUnlock()
	if !current {
		m.drop(leaf)
	}
}

// drop removes a certificate from the memory.
func (m *Manager) drop(leaf fingerprint) {
	m.hot.remove(leaf)
	m.staples.forget(leaf)
}

// currentLeaf returns the leaf of the issued certificate of a name, or nil when there is no usable
// one.
func (m *Manager) currentLeaf(name string) (*x509.Certificate, error) {
	cert, err := m.issued.read(name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errDamaged) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return cert.Leaf, nil
}

package acme

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/caddyserver/certmagic"
	"github.com/mholt/acmez/v3"
)

// GetCertificate is for tls.Config.GetCertificate. It gives certificates of attached names only: the name's own, else
// that of the wildcard above it. For any other name, and without one, it gives nil and no error, which crypto/tls turns
// into the alert unrecognized_name when the tls.Config has no certificates of its own.
func (m *Manager) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name, ok := normal(hello.ServerName)
	if !ok {
		return nil, nil
	}
	if slices.Equal(hello.SupportedProtos, []string{acmez.ACMETLS1Protocol}) {
		return m.answers.certificate(name), nil
	}
	served, hash := m.find(name)
	if served == "" {
		return nil, nil
	}
	if hash != "" {
		if cert := m.cached(served, hash); cert != nil {
			return cert, nil
		}
	}
	return m.load(served)
}

// find gives the attached name that serves name, and the hash of its certificate if that is known. An expired
// certificate is better than none: it tells the visitor what is the matter.
func (m *Manager) find(name string) (served, hash string) {
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
		return "", ""
	}
	return e.name, e.hash
}

// cached looks a certificate up by name and hash. By name alone would not do: a customer's own certificate may carry
// names that are not his.
func (m *Manager) cached(name, hash string) *tls.Certificate {
	for _, cert := range m.cache.AllMatchingCertificates(name) {
		if cert.Hash() == hash {
			m.touch(hash)
			cert.OCSPStaple = m.staples.of(hash, time.Now())
			return &cert.Certificate
		}
	}
	return nil
}

// load reads a certificate that is not in memory; handshakes that come meanwhile share the reading.
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
	own := e != nil && e.own
	m.mu.RUnlock()
	if e == nil {
		return nil, fmt.Errorf("%s was removed", name)
	}
	var cert certmagic.Certificate
	var err error
	if own {
		cert, err = m.readOwn(name)
	} else {
		cert, err = certmagic.New(m.cache, m.magic).CacheManagedCertificate(m.ctx, name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the certificate of %s: %w", name, err)
	}
	m.mu.Lock()
	if m.names[name] == e {
		e.hash = cert.Hash()
	}
	m.mu.Unlock()
	m.staples.hold(name, cert.Hash(), &cert.Certificate)
	m.touch(cert.Hash())
	cert.OCSPStaple = m.staples.of(cert.Hash(), time.Now())
	return &cert.Certificate, nil
}

// touch keeps a certificate among the hot ones, and drops the coldest beyond their number.
func (m *Manager) touch(hash string) {
	if cold := m.hot.touch(hash); cold != "" {
		m.staples.forget(cold)
		m.cache.Remove([]string{cold})
	}
}

func (m *Manager) drop(hash string) {
	m.hot.remove(hash)
	m.staples.forget(hash)
	m.cache.Remove([]string{hash})
}

// current is the leaf of the stored certificate, nil when there is none.
func (m *Manager) current(name string) (*x509.Certificate, error) {
	chain, err := os.ReadFile(m.store.Filename(certmagic.StorageKeys.SiteCert(m.issuerKey(), name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the certificate of %s: %w", name, err)
	}
	return leafOf(chain)
}

func leafOf(chain []byte) (*x509.Certificate, error) {
	certs, err := parseChain(chain)
	if err != nil {
		return nil, err
	}
	return certs[0], nil
}

// parseChain reads PEM certificates, the leaf first.
func parseChain(chain []byte) ([]*x509.Certificate, error) {
	var certs []*x509.Certificate
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read the certificate: %w", err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, errors.New("there is no PEM certificate in it")
	}
	return certs, nil
}

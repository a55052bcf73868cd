package acme

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// certs is a folder of certificates, one PEM file per name: the chain, leaf first, and then the
// key. One rename replaces both, so that a process that is killed leaves a matching pair.
type certs struct{ dir string }

// issuedCerts returns the folder of the certificates that a CA issued. Each CA has its own, so that
// a certificate of a staging CA is never taken for a real one. Certificates of a fallback CA are
// stored with those of the CA that it stood in for.
func issuedCerts(dir, caKey string) certs { return certs{filepath.Join(dir, "issued", caKey)} }

// importedCerts returns the folder of the certificates that customers imported.
func importedCerts(dir string) certs { return certs{filepath.Join(dir, "own")} }

// errDamaged marks a certificate file that does not hold a certificate for its name and the key to
// it.
var errDamaged = errors.New("the certificate file is damaged")

func (c certs) certPath(name string) string { return filepath.Join(c.dir, fileName(name, ".pem")) }

// listNames lists the names that have a certificate.
func (c certs) listNames() ([]string, error) { return listHosts(c.dir, ".pem") }

// readCert returns the certificate of a name with its leaf parsed. The error is fs.ErrNotExist when
// there is none, and errDamaged when it cannot be used.
func (c certs) readCert(name string) (*tls.Certificate, error) {
	data, err := os.ReadFile(c.certPath(name))
	if err != nil {
		return nil, fmt.Errorf("read the certificate of %s: %w", name, err)
	}
	cert, err := parsePair(name, data, data)
	if err != nil {
		return nil, fmt.Errorf("%w (%s): %w", errDamaged, c.certPath(name), err)
	}
	return cert, nil
}

// writeCert stores a certificate durably in place of the one before. chain and key are PEM.
func (c certs) writeCert(name string, chain, key []byte) error {
	data := slices.Concat(bytes.TrimSpace(chain), []byte("\n"), bytes.TrimSpace(key), []byte("\n"))
	if err := writeFile(c.certPath(name), data); err != nil {
		return fmt.Errorf("store the certificate of %s: %w", name, err)
	}
	return nil
}

// removeCert removes the certificate of a name. It is not an error when it does not exist.
func (c certs) removeCert(name string) error {
	if err := removeFile(c.certPath(name)); err != nil {
		return fmt.Errorf("remove the certificate of %s: %w", name, err)
	}
	return nil
}

// parsePair parses a chain and its key, and checks that they belong together and to the name.
func parsePair(name string, chain, key []byte) (*tls.Certificate, error) {
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, err
	}
	if !coversName(cert.Leaf, name) {
		return nil, fmt.Errorf("the certificate is for %v, not for %s", cert.Leaf.DNSNames, name)
	}
	return &cert, nil
}

// fingerprint is the SHA-256 sum of a leaf; the zero value stands for no certificate.
type fingerprint [sha256.Size]byte

func fingerprintOf(leaf *x509.Certificate) fingerprint { return sha256.Sum256(leaf.Raw) }

func leafOf(chain []byte) (*x509.Certificate, error) {
	parsed, err := parseChain(chain)
	if err != nil {
		return nil, err
	}
	return parsed[0], nil
}

// parseChain reads PEM certificates, the leaf first.
func parseChain(chain []byte) ([]*x509.Certificate, error) {
	var parsed []*x509.Certificate
	for block, rest := pem.Decode(chain); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("read the certificate: %w", err)
		}
		parsed = append(parsed, cert)
	}
	if len(parsed) == 0 {
		return nil, errors.New("it contains no PEM certificate")
	}
	return parsed, nil
}

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

func (c certs) path(name string) string { return filepath.Join(c.dir, fileName(name, ".pem")) }

// names lists the names that have a certificate.
func (c certs) names() ([]string, error) { return hosts(c.dir, ".pem") }

// read returns the certificate of a name with its leaf parsed. The error is fs.ErrNotExist when
// there is none, and errDamaged when it cannot be used.
func (c certs) read(name string) (*tls.Certificate, error) {
	data, err := os.ReadFile(c.path(name))
	if err != nil {
		return nil, fmt.Errorf("read the certificate of %s: %w", name, err)
	}
	cert, err := parsePair(name, data, data)
	if err != nil {
		return nil, fmt.Errorf("%w (%s): %w", errDamaged, c.path(name), err)
	}
	return cert, nil
}

// write stores a certificate durably in place of the one before. chain and key are PEM.
func (c certs) write(name string, chain, key []byte) error {
	data := slices.Concat(bytes.TrimSpace(chain), []byte("\n"), bytes.TrimSpace(key), []byte("\n"))
	if err := writeFile(c.path(name), data); err != nil {
		return fmt.Errorf("store the certificate of %s: %w", name, err)
	}
	return nil
}

// remove removes the certificate of a name. It is not an error when it does not exist.
func (c certs) remove(name string) error {
	if err := removeFile(c.path(name)); err != nil {
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
	if !covers(cert.Leaf, name) {
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

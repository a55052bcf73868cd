package acme

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const (
	rootLife = 10 * 365 * 24 * time.Hour
	leafLife = 7 * 24 * time.Hour
	// maxLeaves bounds the memory that invented names can take.
	maxLeaves = 1000
)

// LocalCA issues certificates for *.localhost on this machine, for development over HTTPS. Its root
// may issue for localhost only (a critical name constraint, RFC 5280, section 4.2.1.10): a thief of
// its key has no power over other names.
type LocalCA struct {
	base string
	path string // of the root's PEM
	root *x509.Certificate
	key  crypto.Signer

	mu     sync.Mutex
	leaf   crypto.Signer // one key for all leaves of this process
	leaves *lru[string, *tls.Certificate]
}

// OpenLocalCA reads the CA in dir, or creates it. base is the domain it issues for, "localhost" or
// one below it.
func OpenLocalCA(dir, base string) (*LocalCA, error) {
	if base != "localhost" && !strings.HasSuffix(base, ".localhost") {
		return nil, fmt.Errorf("the internal CA is for localhost only, not for %s", base)
	}
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key for local certificates: %w", err)
	}
	ca := &LocalCA{
		base: base, path: filepath.Join(dir, "root.pem"), leaf: leaf,
		leaves: newLRU[string, *tls.Certificate](maxLeaves),
	}
	pair, err := os.ReadFile(filepath.Join(dir, "root-and-key.pem"))
	if errors.Is(err, fs.ErrNotExist) {
		pair, err = newRoot(filepath.Join(dir, "root-and-key.pem"))
	}
	if err != nil {
		return nil, fmt.Errorf("open the internal CA: %w", err)
	}
	both, err := tls.X509KeyPair(pair, pair)
	if err != nil {
		return nil, fmt.Errorf("the internal CA in %s is damaged; remove the folder, and run anchor trust again: %w", dir, err)
	}
	ca.root = both.Leaf
	ca.key, _ = both.PrivateKey.(crypto.Signer)
	return ca, writeFile(ca.path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.root.Raw}))
}

func newRoot(path string) ([]byte, error) {
	key, encoded, err := newKey()
	if err != nil {
		return nil, err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "this machine"
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: randomSerial(), Subject: pkix.Name{CommonName: "Anchor local development, " + host},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(rootLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
		KeyUsage:                    x509.KeyUsageCertSign,
		PermittedDNSDomainsCritical: true, PermittedDNSDomains: []string{"localhost"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the root certificate: %w", err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), encoded...)
	return both, writeFile(path, both)
}

func randomSerial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127)) // crypto/rand does not fail (Go 1.24)
	return n
}

// Root returns the path of the root's PEM file, for curl --cacert and for browsers' own stores.
func (ca *LocalCA) Root() string { return ca.path }

// GetCertificate is for tls.Config.GetCertificate. It returns a certificate for the base domain and
// the names directly below it, created at the first request. For other names it returns nil, as
// Manager.GetCertificate does.
func (ca *LocalCA) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name, ok := normalName(hello.ServerName)
	if !ok {
		return nil, nil
	}
	label, above := strings.CutSuffix(name, "."+ca.base)
	if name != ca.base && (!above || label == "" || strings.Contains(label, ".")) {
		return nil, nil
	}
	ca.mu.Lock()
	defer ca.mu.Unlock()
	if cert, ok := ca.leaves.get(name); ok && time.Until(cert.Leaf.NotAfter) > leafLife/3 {
		return cert, nil
	}
	cert, err := ca.issueCert(name)
	if err != nil {
		return nil, err
	}
	ca.leaves.put(name, cert)
	return cert, nil
}

func (ca *LocalCA) issueCert(name string) (*tls.Certificate, error) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: randomSerial(), DNSNames: []string{name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(leafLife),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.root, ca.leaf.Public(), ca.key)
	if err != nil {
		return nil, fmt.Errorf("make a local certificate for %s: %w", name, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("read the local certificate for %s: %w", name, err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: ca.leaf, Leaf: leaf}, nil
}

// First asks each source in turn for a certificate and returns the first one found.
func First(sources ...func(*tls.ClientHelloInfo) (*tls.Certificate, error)) func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	return func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		for _, get := range sources {
			if cert, err := get(hello); cert != nil || err != nil {
				return cert, err
			}
		}
		return nil, nil
	}
}

package acme

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
)

// responder is an OCSP responder and the CA it speaks for.
type responder struct {
	*httptest.Server
	issuer *x509.Certificate
	key    crypto.Signer
	roots  *x509.CertPool

	mu     sync.Mutex
	asked  []*big.Int // serial numbers, in the order of the requests
	answer func(w http.ResponseWriter, serial *big.Int)
}

// startResponder answers Good, valid for the next hour, unless says is set otherwise.
func startResponder(t *testing.T) *responder {
	t.Helper()
	r := &responder{roots: x509.NewCertPool()}
	r.answer = func(w http.ResponseWriter, serial *big.Int) { w.Write(r.response(t, serial, nil)) }
	r.Server = httptest.NewServer(r)
	t.Cleanup(r.Close)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	r.key, r.issuer = key, r.sign(t, root, root, key, key)
	r.roots.AddCert(r.issuer)
	return r
}

func (r *responder) sign(t *testing.T, template, parent *x509.Certificate, subject, key crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, subject.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func (r *responder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	question, unread := ocsp.ParseRequest(body)
	if err != nil || unread != nil || req.Method != http.MethodPost || req.Header.Get("Content-Type") != "application/ocsp-request" {
		http.Error(w, "no OCSP request", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.asked = append(r.asked, question.SerialNumber)
	answer := r.answer
	r.mu.Unlock()
	answer(w, question.SerialNumber)
}

func (r *responder) questions() []*big.Int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.asked)
}

func (r *responder) says(answer func(w http.ResponseWriter, serial *big.Int)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

// response is signed by the issuer, or by the signer that change sets.
func (r *responder) response(t testing.TB, serial *big.Int, change func(*ocsp.Response)) []byte {
	now := time.Now().Truncate(time.Second)
	template := ocsp.Response{Status: ocsp.Good, SerialNumber: serial, ThisUpdate: now.Add(-time.Minute), NextUpdate: now.Add(time.Hour)}
	if change != nil {
		change(&template)
	}
	signer := r.issuer
	if template.Certificate != nil {
		signer = template.Certificate
	}
	raw, err := ocsp.CreateResponse(r.issuer, signer, template, r.key)
	if err != nil {
		t.Error(err)
	}
	return raw
}

// issue returns a certificate of the CA that names the responder, with its chain.
func (r *responder) issue(t *testing.T, name string) (chain, key []byte, leaf *x509.Certificate) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf = r.sign(t, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, OCSPServer: []string{r.URL},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, r.issuer, private, r.key)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	for _, cert := range []*x509.Certificate{leaf, r.issuer} {
		chain = append(chain, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})...)
	}
	return chain, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), leaf
}

package domains

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
)

func TestCovers(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"example.com", "*.example.com"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, want := range map[string]bool{"example.com": true, "www.example.com": true, "a.b.example.com": false, "example.org": false} {
		if certificateCovers(chain, name) != want {
			t.Errorf("covers %s: %v, want %v", name, !want, want)
		}
	}
	if certificateCovers(nil, "example.com") || certificateCovers([]byte("no PEM"), "example.com") || certificateCovers(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE"}), "example.com") {
		t.Error("bytes that are not a certificate cover a name")
	}
}

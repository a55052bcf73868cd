package acme

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
)

func TestLocalCA(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ca, err := OpenLocalCA(dir, "localhost")
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenLocalCA(dir, "localhost")
	if err != nil || !again.root.Equal(ca.root) {
		t.Fatalf("opened again: %v", err)
	}
	root, err := os.ReadFile(again.Root())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	for name, want := range map[string]bool{
		"localhost": true, "shop.localhost": true, "Shop.LOCALHOST.": true, "01abc--shop.localhost": true,
		"": false, "a.b.localhost": false, "example.com": false, "localhost.example.com": false, "xlocalhost": false,
	} {
		cert, err := ca.GetCertificate(hello(name))
		if err != nil || (cert != nil) != want {
			t.Errorf("%q: %v, %v", name, cert, err)
		}
		if cert == nil {
			continue
		}
		plain, _ := normalName(name)
		if _, err := cert.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: plain}); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	cert, _ := ca.GetCertificate(hello("shop.localhost"))
	same, _ := ca.GetCertificate(hello("shop.localhost"))
	if cert != same {
		t.Error("a certificate is made for each handshake")
	}
}

// A thief of the root's key cannot use it for other names.
func TestLocalCA_RootIsConstrained(t *testing.T) {
	t.Parallel()
	ca, err := OpenLocalCA(t.TempDir(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	stolen, err := ca.issueCert("bank.example.com")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(ca.root)
	if _, err := stolen.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: "bank.example.com"}); err == nil {
		t.Error("the root is good for a name outside localhost")
	}
	if _, err := OpenLocalCA(t.TempDir(), "example.com"); err == nil {
		t.Error("an internal CA for example.com")
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	ca, err := OpenLocalCA(t.TempDir(), "localhost")
	if err != nil {
		t.Fatal(err)
	}
	store := t.TempDir()
	trust := Trust{Root: ca.Root(), system: "linux", families: []anchors{{filepath.Join(store, "absent"), nil}, {store, []string{"true"}}}}
	placed := filepath.Join(store, rootFile)
	for range 2 {
		if err := trust.Install(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(placed); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := trust.Uninstall(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(placed); !os.IsNotExist(err) {
		t.Errorf("after uninstall: %v", err)
	}
}

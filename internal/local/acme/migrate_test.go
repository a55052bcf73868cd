package acme

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// migrateEnv makes this test binary migrate the folder that it names.
const migrateEnv = "ANCHOR_TEST_MIGRATE"

// legacy moves the certificates of dir to where earlier versions kept them.
// (TestMigrate_EarlierFolder uses a folder that such a version made.)
func legacy(t *testing.T, dir string) {
	t.Helper()
	cas, err := os.ReadDir(filepath.Join(dir, "issued"))
	if err != nil {
		t.Fatal(err)
	}
	for _, ca := range cas {
		from := issuedCerts(dir, ca.Name())
		names, err := from.listNames()
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			data, err := os.ReadFile(from.certPath(name))
			if err != nil {
				t.Fatal(err)
			}
			at := bytes.Index(data, []byte("-----BEGIN PRIVATE KEY"))
			site := legacySite{dir: dir, ca: ca.Name(), name: name}
			site.write(t, data[:at], data[at:])
		}
	}
	if err := os.RemoveAll(filepath.Join(dir, "issued")); err != nil {
		t.Fatal(err)
	}
}

// write stores a site as earlier versions did; a nil part is left out.
func (s legacySite) write(t *testing.T, chain, key []byte) {
	t.Helper()
	for ext, data := range map[string][]byte{".crt": chain, ".key": key, ".json": []byte(`{"sans":["` + s.name + `"]}`)} {
		if data == nil {
			continue
		}
		if err := writeFile(s.filePath(ext), data); err != nil {
			t.Fatal(err)
		}
	}
}

// wantMigrated fails when the old folder is still there.
func wantMigrated(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, legacyFolder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old folder is left: %v", err)
	}
}

// testdata/certmagic was made by the last version with certmagic: a certificate and its OCSP
// response, an imported one, the account, and an order that was killed before it was finalized. Its
// certificates are valid until 2116.
func TestMigrate_EarlierFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/certmagic")); err != nil {
		t.Fatal(err)
	}
	kept := map[string][]byte{}
	for _, path := range []string{"accounts/127.0.0.1-1-dir.json", "own/wildcard_.own.example.com.pem", "ocsp/shop.example.com.der"} {
		kept[path] = contentOf(t, filepath.Join(dir, path))
	}
	issued, err := leafOf(contentOf(t, "testdata/certmagic/certificates/127.0.0.1-1-dir/shop.example.com/shop.example.com.crt"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := openJournal(dir, "pending.example.com")
	if err != nil {
		t.Fatal(err)
	}
	m := open(t, Config{Dir: dir, CA: "https://127.0.0.1:1/dir", FirstRetry: time.Hour, Log: slog.New(slog.DiscardHandler)})
	cert, err := m.GetCertificate(hello("shop.example.com"))
	if err != nil || cert == nil || !cert.Leaf.Equal(issued) {
		t.Errorf("the issued certificate is not served: %v, %v", cert, err)
	}
	if cert, err := m.GetCertificate(hello("a.own.example.com")); err != nil || cert == nil {
		t.Errorf("the imported certificate is not served: %v, %v", cert, err)
	}
	if c, err := m.Ensure(t.Context(), named("shop.example.com")); err != nil || c.Status != anchor.CertIssued || c.NotAfter == 0 {
		t.Errorf("the issued certificate: %+v, %v", c, err)
	}
	for path, want := range kept {
		if got := contentOf(t, filepath.Join(dir, path)); !bytes.Equal(got, want) {
			t.Errorf("%s was changed", path)
		}
	}
	m.Close()
	after, err := openJournal(dir, "pending.example.com")
	if err != nil || after.Order != before.Order || after.Key != before.Key {
		t.Errorf("the order under way was %+v and is %+v, %v", before, after, err)
	}
	if key, err := after.privateKey(); err != nil || key == nil {
		t.Errorf("its key: %v", err)
	}
	if info, err := os.Stat(m.issued.certPath("shop.example.com")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the certificate file: %v, %v", info, err)
	}
	wantMigrated(t, dir)
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// After an upgrade no name is ordered again, the order under way continues, and the CA sees the
// account it knows.
func TestMigrate_OrdersNothingAgain(t *testing.T) {
	t.Parallel()
	const pending = "pending.example.com"
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	cfg := p.config(t)
	first := open(t, cfg)
	f.serve(t, first)
	names := []string{"shop.example.com", long(244), long(247), long(maxName)}
	f.publish(append(names, pending)...)
	for _, name := range names {
		ensured(t, first, name)
	}
	stopped := p.hang("/finalize-order/")
	if _, err := first.Ensure(t.Context(), named(pending)); err != nil {
		t.Fatal(err)
	}
	<-stopped
	first.Close()
	p.intercept(nil)
	legacy(t, cfg.Dir)
	account := contentOf(t, first.cas[0].path)

	m := open(t, cfg)
	f.serve(t, m)
	ensured(t, m, pending)
	for _, name := range names {
		if c, err := m.Ensure(t.Context(), named(name)); err != nil || c.Status != anchor.CertIssued {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
		get(t, f.client(t, p), "https://"+name+"/")
	}
	if n := p.Orders(); n != len(names)+1 {
		t.Errorf("%d orders for %d names", n, len(names)+1)
	}
	var was, is accountFile
	if err := errors.Join(json.Unmarshal(account, &was), json.Unmarshal(contentOf(t, m.cas[0].path), &is)); err != nil {
		t.Fatal(err)
	}
	if was.Key != is.Key || was.Account.Location != is.Account.Location || is.Account.Location == "" {
		t.Errorf("the account was %+v and is %+v", was, is)
	}
	wantMigrated(t, cfg.Dir)
}

// What an interrupted renewal, an interrupted migration or a downgrade leaves behind.
func TestMigrate_OneSite(t *testing.T) {
	t.Parallel()
	const name = "*.shop.example.com"
	oldChain, oldKey := selfMade(t, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(10 * 24 * time.Hour) }, name)
	newChain, newKey := selfMade(t, nil, name)
	_, otherKey := selfMade(t, nil, name)
	for what, c := range map[string]struct {
		storedChain, storedKey []byte
		chain, key, previous   []byte
		want                   []byte
		kept                   bool
	}{
		"whole":                         {chain: oldChain, key: oldKey, want: oldChain},
		"the key before fits":           {chain: oldChain, key: otherKey, previous: oldKey, want: oldChain},
		"stored, nothing removed":       {storedChain: oldChain, storedKey: oldKey, chain: oldChain, key: oldKey, want: oldChain},
		"stored, the key is removed":    {storedChain: oldChain, storedKey: oldKey, chain: oldChain, want: oldChain},
		"a newer one after a downgrade": {storedChain: oldChain, storedKey: oldKey, chain: newChain, key: newKey, want: newChain},
		"an older one":                  {storedChain: newChain, storedKey: newKey, chain: oldChain, key: oldKey, want: newChain},
		"a damaged one is stored":       {storedChain: []byte("?"), storedKey: oldKey, chain: oldChain, key: oldKey, want: oldChain},
		"the key does not fit":          {chain: oldChain, key: otherKey, kept: true},
		"no key":                        {chain: oldChain, kept: true},
		"no certificate":                {key: oldKey, kept: true},
		"no PEM":                        {chain: []byte("?"), key: oldKey, kept: true},
		"damaged, and another one was issued since": {storedChain: newChain, storedKey: newKey, chain: []byte("?"), key: oldKey, want: newChain, kept: true},
	} {
		t.Run(what, func(t *testing.T) {
			site := legacySite{dir: t.TempDir(), ca: "ca", name: name}
			to := issuedCerts(site.dir, site.ca)
			if c.storedChain != nil {
				if err := to.writeCert(name, c.storedChain, c.storedKey); err != nil {
					t.Fatal(err)
				}
			}
			site.write(t, c.chain, c.key)
			if c.previous != nil {
				if err := writeFile(site.filePath(".key")+".previous", c.previous); err != nil {
					t.Fatal(err)
				}
			}
			var said bytes.Buffer
			for range 2 {
				if err := migrateLegacy(site.dir, slog.New(slog.NewTextHandler(&said, nil))); err != nil {
					t.Fatal(err)
				}
			}
			cert, err := to.readCert(name)
			if c.want == nil {
				if !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("stored: %v, %v", cert, err)
				}
			} else if block, _ := pem.Decode(c.want); err != nil || !bytes.Equal(cert.Leaf.Raw, block.Bytes) {
				t.Errorf("another certificate is stored, or none: %v", err)
			}
			reports := strings.Count(said.String(), "level=WARN")
			if c.kept {
				if reports != 2 || !strings.Contains(said.String(), "domain="+name) || !strings.Contains(said.String(), site.folderPath()) {
					t.Errorf("it is not reported at each start: %s", &said)
				}
				if _, err := os.Stat(site.filePath(".json")); err != nil {
					t.Errorf("the files are not kept: %v", err)
				}
				return
			}
			if reports != 0 {
				t.Errorf("reported: %s", &said)
			}
			wantMigrated(t, site.dir)
		})
	}
}

// Files that no version of Anchor made do not keep certificates from being migrated.
func TestMigrate_StrayFiles(t *testing.T) {
	t.Parallel()
	site := legacySite{dir: t.TempDir(), ca: "ca", name: "shop.example.com"}
	chain, key := selfMade(t, nil, site.name)
	site.write(t, chain, key)
	stray := []string{filepath.Join(site.dir, legacyFolder, "notes.txt"), filepath.Join(site.dir, legacyFolder, "ca", "notes.txt")}
	for _, path := range stray {
		if err := writeFile(path, []byte("mine")); err != nil {
			t.Fatal(err)
		}
	}
	if err := migrateLegacy(site.dir, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	if _, err := issuedCerts(site.dir, site.ca).readCert(site.name); err != nil {
		t.Error(err)
	}
	for _, path := range stray {
		contentOf(t, path)
	}
}

// kill -9 anywhere in a migration: the next start completes it, and no certificate is lost.
func TestKill_DuringMigration(t *testing.T) {
	t.Parallel()
	const sites = 60
	dir := t.TempDir()
	want := map[string][]byte{}
	for i := range sites {
		site := legacySite{dir: dir, ca: "ca", name: string(rune('a'+i/26)) + string(rune('a'+i%26)) + ".example.com"}
		chain, key := selfMade(t, nil, site.name)
		site.write(t, chain, key)
		block, _ := pem.Decode(chain)
		want[site.name] = block.Bytes
	}
	for _, kills := range []int{0, 1, 5, 20, 40} {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), migrateEnv+"="+dir)
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(testPatience); countFiles(filepath.Join(dir, "issued", "ca")) < kills && time.Now().Before(deadline); {
			time.Sleep(time.Millisecond)
		}
		if err := cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
			t.Fatal(err)
		}
		cmd.Wait()
	}
	var said bytes.Buffer
	if err := migrateLegacy(dir, slog.New(slog.NewTextHandler(&said, &slog.HandlerOptions{Level: slog.LevelWarn}))); err != nil || said.Len() > 0 {
		t.Fatalf("%v, reported: %s", err, &said)
	}
	for name, der := range want {
		cert, err := issuedCerts(dir, "ca").readCert(name)
		if err != nil || !bytes.Equal(cert.Leaf.Raw, der) {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantMigrated(t, dir)
}

func countFiles(dir string) int {
	found, _ := filepath.Glob(filepath.Join(dir, "*.pem"))
	return len(found)
}

package acme

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/letsencrypt/challtestsrv"
	"go.uber.org/goleak"

	"github.com/anchor-deploy/anchor/internal/local/acme/acmetest"
	"github.com/anchor-deploy/anchor/internal/testleak"
	"github.com/anchor-deploy/anchor/internal/testport"
)

// hookEnv turns this test binary into a DNS hook that asks the test's server to set records.
const hookEnv = "ANCHOR_TEST_HOOK_URL"

// testPatience bounds waits; it only matters when something is broken.
const testPatience = 2 * time.Minute

func TestMain(m *testing.M) {
	if at := os.Getenv(hookEnv); at != "" && len(os.Args) == 2 {
		hookMain(at, os.Args[1])
	}
	if spec := os.Getenv(serverEnv); spec != "" {
		serverMain(spec)
	}
	if dir := os.Getenv(migrateEnv); dir != "" {
		if err := migrateLegacy(dir, slog.New(slog.DiscardHandler)); err != nil {
			log.Fatal(err)
		}
		return
	}
	// Pebble reads its behavior from the environment: one good nonce in six is refused,
	// validations start at once.
	for key, value := range map[string]string{"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "15", "PEBBLE_AUTHZREUSE": "0"} {
		if err := os.Setenv(key, value); err != nil {
			log.Fatal(err)
		}
	}
	testleak.Main(withDNS{m},
		// Pebble's validation loop never ends.
		goleak.IgnoreTopFunction("github.com/letsencrypt/pebble/v2/va.VAImpl.processTasks"))
}

// shared is the DNS server of all tests' CAs. There is one, because challtestsrv registers its
// answers for the whole process: each server would return those of the one that was started last.
var shared struct {
	*challtestsrv.ChallSrv
	address string // HOST:PORT
}

// withDNS runs tests while shared answers, with this machine for every name that no test sets.
type withDNS struct{ goleak.TestingM }

// Run implements goleak.TestingM.
func (w withDNS) Run() int {
	port, err := testport.Get()
	if err != nil {
		log.Fatal(err)
	}
	shared.address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	shared.ChallSrv, err = challtestsrv.New(challtestsrv.Config{DNSAddrs: []string{shared.address}, Log: log.New(io.Discard, "", 0)})
	if err != nil {
		log.Fatal(err)
	}
	shared.SetDefaultDNSIPv4("127.0.0.1")
	shared.SetDefaultDNSIPv6("")
	go shared.Run()
	defer shared.Shutdown()
	return w.TestingM.Run()
}

func hookMain(at, action string) {
	resp, err := http.PostForm(at, url.Values{
		"action": {action}, "name": {os.Getenv("ANCHOR_DNS_NAME")}, "type": {os.Getenv("ANCHOR_DNS_TYPE")},
		"value": {os.Getenv("ANCHOR_DNS_VALUE")}, "domain": {os.Getenv("ANCHOR_DOMAIN")},
	})
	if err != nil {
		log.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		log.Fatal("the DNS provider says ", resp.Status)
	}
	syscall.Exit(0) // under the race detector os.Exit would wait a second first (GORACE, atexit_sleep_ms)
}

// pebble is Let's Encrypt's test CA, in this process.
type pebble struct {
	*acmetest.CA
	root  *x509.Certificate
	roots *x509.CertPool // of what it issues
	https *x509.CertPool // of its own API

	mu     sync.Mutex
	before func(w http.ResponseWriter, r *http.Request) bool // answers instead of pebble when it returns true
}

type pebbleOptions struct {
	http, tls int    // ports that challenges are checked at
	lifetime  uint64 // of certificates, seconds
	ocsp      string // URL of the responder that certificates name
}

func startPebble(t testing.TB, o pebbleOptions) *pebble {
	t.Helper()
	p := &pebble{}
	p.CA = acmetest.Start(t, acmetest.Options{
		HTTP: o.http, TLS: o.tls, Resolver: shared.address, Lifetime: o.lifetime, OCSP: o.ocsp,
		Front: func(api http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r, api) })
		},
	})
	p.https = x509.NewCertPool()
	p.https.AddCert(p.Certificate())
	var err error
	p.root, err = leafOf(p.RootPEM)
	if err != nil {
		t.Fatal(err)
	}
	p.roots = x509.NewCertPool()
	p.roots.AddCert(p.root)
	return p
}

func (p *pebble) serve(w http.ResponseWriter, r *http.Request, api http.Handler) {
	p.mu.Lock()
	before := p.before
	p.mu.Unlock()
	if before != nil && before(w, r) {
		return
	}
	api.ServeHTTP(w, r)
}

func (p *pebble) directory() string { return p.URL + "/dir" }

func (p *pebble) intercept(f func(w http.ResponseWriter, r *http.Request) bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.before = f
}

// hang leaves requests to paths that begin with step unanswered, until their client disconnects.
// The channel is closed at the first one.
func (p *pebble) hang(step string) (stopped chan struct{}) {
	stopped = make(chan struct{})
	var once sync.Once
	p.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if !strings.HasPrefix(r.URL.Path, step) {
			return false
		}
		once.Do(func() { close(stopped) })
		io.Copy(io.Discard, r.Body) // only then net/http notices that the client has gone
		<-r.Context().Done()
		return true
	})
	return stopped
}

func portOf(t testing.TB, addr net.Addr) int {
	t.Helper()
	_, port, err := net.SplitHostPort(addr.String())
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// selfMade returns a certificate for names, signed by itself or by the given parent.
func selfMade(t testing.TB, change func(*x509.Certificate), names ...string) (chain, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return selfSigned(t, private, change, names...)
}

func selfSigned(t testing.TB, private crypto.Signer, change func(*x509.Certificate), names ...string) (chain, key []byte) {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(90 * 24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

package acme

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestOrder_TLSALPNAlone(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	cfg := p.config(t)
	cfg.NoHTTP01 = true
	m := open(t, cfg)
	f.serve(t, m)
	f.publish("alpn.example.com")
	ensured(t, m, "alpn.example.com")
	get(t, f.client(t, p), "https://alpn.example.com/")
}

// A CA whose request at port 80 is rejected gets its proof at port 443, with a second order: the
// first one is invalid.
func TestOrder_OtherChallengeAfterRejection(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	o := f.ports(t, 0)
	o.http = portOf(t, f.tls.Addr()) // TLS answers there: HTTP-01 fails
	p := startPebble(t, o)
	m := open(t, p.config(t))
	f.serve(t, m)
	c := ensured(t, m, "b.example.com")
	if c.Problem != "" || p.Orders() != 2 {
		t.Errorf("%d orders, problem %q; want 2 and none", p.Orders(), c.Problem)
	}
}

func TestOrder_WildcardByHook(t *testing.T) {
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	var mu sync.Mutex
	var asked []string
	provider := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.FormValue("action")+" "+r.FormValue("name")+" "+r.FormValue("type")+" "+r.FormValue("domain"))
		if r.FormValue("action") == "present" {
			shared.AddDNSTXTRecord(r.FormValue("name"), r.FormValue("value"))
		} else {
			shared.DeleteDNSTXTRecord(r.FormValue("name"))
		}
	}))
	defer provider.Close()
	t.Setenv(hookEnv, provider.URL)
	cfg := p.config(t)
	cfg.DNS01, cfg.Resolvers = os.Args[0], []string{shared.address}
	m := open(t, cfg)
	f.serve(t, m)
	f.publish("*.wild.example.com")

	ensured(t, m, "*.wild.example.com")
	get(t, f.client(t, p), "https://any.wild.example.com/")
	for _, name := range []string{"wild.example.com", "a.b.wild.example.com"} {
		if _, err := f.client(t, p).Get("https://" + name + "/"); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("%s: %v, want the alert unrecognized_name", name, err)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	want := []string{"present _acme-challenge.wild.example.com TXT wild.example.com", "cleanup _acme-challenge.wild.example.com TXT wild.example.com"}
	if !slices.Equal(asked, want) {
		t.Errorf("the hook was asked %q, want %q", asked, want)
	}
}

func TestOrder_WildcardWithoutHook(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	m := open(t, p.config(t))
	f.serve(t, m)
	c := reaches(t, m, "*.wild.example.com", anchor.CertFailed)
	if !strings.Contains(c.Problem, "--acme-dns-hook") {
		t.Errorf("problem: %s", c.Problem)
	}
}

// Wherever the process ends during an order, the next one continues the same order.
func TestOrder_ContinuesAfterRestart(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"/authZ/", "/chalZ/", "/finalize-order/", "/certZ/"} {
		t.Run(strings.Trim(step, "/"), func(t *testing.T) {
			f := listenFront(t)
			p := startPebble(t, f.ports(t, 0))
			stopped := p.hang(step)
			cfg := p.config(t)
			first, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			f.serve(t, first)
			if _, err := first.Ensure(t.Context(), named("c.example.com")); err != nil {
				t.Fatal(err)
			}
			select {
			case <-stopped:
			case <-time.After(testPatience):
				t.Fatalf("the order does not get to %s: %+v", step, first.names["c.example.com"])
			}
			first.Close()
			p.intercept(nil)

			m := open(t, cfg)
			f.serve(t, m)
			f.publish("c.example.com")
			ensured(t, m, "c.example.com")
			if n := p.Orders(); n != 1 {
				t.Errorf("%d orders, want 1", n)
			}
			get(t, f.client(t, p), "https://c.example.com/")
		})
	}
}

// The process ended between storing the certificate and closing the journal: nothing is ordered
// again.
func TestOrder_CertificateStoredJournalOpen(t *testing.T) {
	t.Parallel()
	const name = "d.example.com"
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	cfg := p.config(t)
	first := open(t, cfg)
	f.serve(t, first)
	issuedFirst(t, first, name)
	first.Close()
	const begin = "-----BEGIN PRIVATE KEY"
	_, key, ok := strings.Cut(string(contentOf(t, first.issued.certPath(name))), begin)
	if !ok {
		t.Fatal("the file holds no key")
	}
	j := journal{
		Name: name, CA: cfg.CA, Order: p.URL + "/my-order/1", path: journalPath(cfg.Dir, name),
		Key: begin + key,
	}
	if err := j.saveFile(); err != nil {
		t.Fatal(err)
	}
	m := open(t, cfg)
	f.serve(t, m)
	for deadline := time.Now().Add(testPatience); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(j.path); errors.Is(err, fs.ErrNotExist) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the journal is not closed")
		}
	}
	if n := p.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

// A damaged certificate file is replaced by a new certificate.
func TestFiles_DamagedCertificate(t *testing.T) {
	t.Parallel()
	const name = "damaged.example.com"
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	cfg := p.config(t)
	first := open(t, cfg)
	f.serve(t, first)
	ensured(t, first, name)
	first.Close()
	if err := os.WriteFile(first.issued.certPath(name), []byte("-----BEGIN CERT"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := open(t, cfg)
	f.serve(t, m)
	f.publish(name)
	ensured(t, m, name)
	get(t, f.client(t, p), "https://"+name+"/")
	if n := p.Orders(); n != 2 {
		t.Errorf("%d orders, want 2", n)
	}
}

func TestAccount_IsKept(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	var registered atomic.Int32
	p.intercept(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/sign-me-up" && r.Method == http.MethodPost {
			registered.Add(1)
		}
		return false
	})
	cfg := p.config(t)
	cfg.Email = "ops@example.com"
	m := open(t, cfg)
	f.serve(t, m)
	ensured(t, m, "a.example.com")
	seen := registered.Load()
	m.Close()
	again, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if _, err := again.cas[0].registerAccount(t.Context()); err != nil || registered.Load() != seen {
		t.Errorf("login after a restart: %v, registered %d times, then %d", err, seen, registered.Load())
	}
	account := filepath.Join(cfg.Dir, "accounts", caKey(cfg.CA)+".json")
	if info, err := os.Stat(account); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("account file: %v %v", info, err)
	}
}

// A CA that was set up again from scratch knows neither account nor order.
func TestAccount_ForgottenByCA(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	before, after := startPebble(t, f.ports(t, 0)), startPebble(t, f.ports(t, 0))
	cfg := before.config(t)
	first, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.cas[0].registerAccount(t.Context()); err != nil {
		t.Fatal(err)
	}
	first.Close()
	cfg.CA, cfg.TrustedRoots = after.directory(), after.https
	accounts := filepath.Join(cfg.Dir, "accounts")
	kept, err := os.ReadFile(filepath.Join(accounts, caKey(before.directory())+".json"))
	if err != nil {
		t.Fatal(err)
	}
	kept = []byte(strings.ReplaceAll(string(kept), before.URL, after.URL)) // as if it were the same CA
	if err := os.WriteFile(filepath.Join(accounts, caKey(after.directory())+".json"), kept, 0o600); err != nil {
		t.Fatal(err)
	}
	m := open(t, cfg)
	f.serve(t, m)
	ensured(t, m, "d.example.com")
}

func TestOrder_RateLimitIsReportedAndKept(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	var orders atomic.Int32
	p.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/order-plz" {
			return false
		}
		orders.Add(1)
		w.Header().Set("Retry-After", "3600")
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusTooManyRequests)
		json.NewEncoder(w).Encode(map[string]any{
			"type": "urn:ietf:params:acme:error:rateLimited", "status": 429, "detail": "too many certificates already issued for example.com",
		})
		return true
	})
	cfg := p.config(t)
	m := open(t, cfg)
	f.serve(t, m)
	c := reaches(t, m, "e.example.com", anchor.CertFailed)
	for _, want := range []string{"limit", "too many certificates already issued", "try again at"} {
		if !strings.Contains(c.Problem, want) {
			t.Errorf("problem %q has no %q", c.Problem, want)
		}
	}
	m.Close()
	again, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	c, err = again.Ensure(t.Context(), named("e.example.com"))
	if err != nil || c.Status != anchor.CertFailed || orders.Load() != 1 {
		t.Errorf("after a restart %+v, %v, %d orders; want the same failure and no further order", c, err, orders.Load())
	}
	if at := again.names["e.example.com"].retryAt; time.Until(at) < 59*time.Minute {
		t.Errorf("the next attempt is at %s, against the CA's Retry-After", at)
	}
}

func TestOrder_FallbackCA(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	down, up := startPebble(t, f.ports(t, 0)), startPebble(t, f.ports(t, 0))
	down.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path == "/order-plz" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	cfg := down.config(t)
	cfg.FallbackCA = up.directory()
	cfg.TrustedRoots.AddCert(up.Certificate())
	m := open(t, cfg)
	f.serve(t, m)
	f.publish("g.example.com")
	ensured(t, m, "g.example.com")
	get(t, f.client(t, up), "https://g.example.com/")
}

// A rejected validation is the name's fault: the fallback CA is not asked.
func TestOrder_NoFallbackForRejectedName(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	first, second := startPebble(t, f.ports(t, 0)), startPebble(t, f.ports(t, 0))
	cfg := first.config(t)
	cfg.FallbackCA = second.directory()
	cfg.TrustedRoots.AddCert(second.Certificate())
	m := open(t, cfg) // nobody serves f: connections are accepted and never answered
	f.plain.Close()
	f.tls.Close()
	c := reaches(t, m, "h.example.com", anchor.CertFailed)
	if second.Orders() != 0 {
		t.Error("the fallback CA was asked")
	}
	if !strings.Contains(c.Problem, "h.example.com") || !strings.Contains(c.Problem, "The CA says: Get") && !strings.Contains(c.Problem, "onnect") {
		t.Errorf("problem: %s", c.Problem)
	}
}

func TestEnsure_RefusesBadNames(t *testing.T) {
	t.Parallel()
	p := startPebble(t, pebbleOptions{http: 1, tls: 1})
	m := open(t, p.config(t))
	for _, name := range []string{"", "UPPER.example.com", "a..b", "../etc", "bücher.de", "dot.example.com.", "*.*.example.com", "a/b.example.com"} {
		if _, err := m.Ensure(t.Context(), named(name)); !errors.Is(err, anchor.ErrInvalid) {
			t.Errorf("Ensure(%q): %v, want Invalid", name, err)
		}
	}
}

// A wrong certificate from the CA does not replace one that works, and the next attempt continues
// the same order.
func TestOrder_WrongCertificate(t *testing.T) {
	t.Parallel()
	const name = "chain.example.com"
	other, _ := selfMade(t, nil, name)
	for what, body := range map[string][]byte{"another key": other, "no certificate": []byte("<html>down for maintenance</html>")} {
		t.Run(what, func(t *testing.T) {
			f := listenFront(t)
			p := startPebble(t, f.ports(t, 0))
			m := open(t, p.config(t))
			f.serve(t, m)
			first := issuedFirst(t, m, name)
			var sent atomic.Bool
			p.intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasPrefix(r.URL.Path, "/certZ/") || sent.Swap(true) {
					return false
				}
				w.Header().Set("Content-Type", "application/pem-certificate-chain")
				_, _ = w.Write(body)
				return true
			})
			m.mu.Lock()
			m.names[name].renewAt = time.Now()
			m.mu.Unlock()
			m.wakeMaintain()
			second := renewed(t, m, name, first)
			if second.CheckSignatureFrom(p.Issuer) != nil || !sent.Load() {
				t.Errorf("the certificate that is kept is of %s", second.Issuer)
			}
			if n := p.Orders(); n != 2 {
				t.Errorf("%d orders, want 2", n)
			}
		})
	}
}

// A mistaken Retry-After does not keep a name from its certificate for ever.
func TestOrder_RetryAfterBeyondReason(t *testing.T) {
	t.Parallel()
	p := startPebble(t, pebbleOptions{http: 1, tls: 1})
	p.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/order-plz" {
			return false
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("Retry-After", "315360000")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, `{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many"}`)
		return true
	})
	m := open(t, p.config(t))
	reaches(t, m, "limited.example.com", anchor.CertFailed)
	m.mu.RLock()
	defer m.mu.RUnlock()
	if at := m.names["limited.example.com"].retryAt; at.Before(time.Now().Add(6*24*time.Hour)) || at.After(time.Now().Add(7*24*time.Hour)) {
		t.Errorf("tried again at %s", at)
	}
}

// Failures at one CA do not delay orders at another one, as after the change from the staging CA.
func TestOrder_FailuresStayWithCA(t *testing.T) {
	t.Parallel()
	const name = "moved.example.com"
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	cfg := p.config(t)
	before := journal{
		Name: name, CA: "https://staging.example/dir", Order: "https://staging.example/order/1", Failures: 9,
		RetryAt: time.Now().Add(12 * time.Hour), Problem: "The staging CA refused.", path: filepath.Join(cfg.Dir, "orders", name+".json"),
	}
	if err := before.saveFile(); err != nil {
		t.Fatal(err)
	}
	m := open(t, cfg)
	f.serve(t, m)
	if c := ensured(t, m, name); c.Problem != "" {
		t.Errorf("problem: %s", c.Problem)
	}
	if n := p.Orders(); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

// An order file that cannot be read does not keep other names from their certificates.
func TestFiles_DamagedOrder(t *testing.T) {
	t.Parallel()
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	cfg := p.config(t)
	if err := writeFile(filepath.Join(cfg.Dir, "orders", "bad.example.com.json"), []byte("{")); err != nil {
		t.Fatal(err)
	}
	m := open(t, cfg)
	f.serve(t, m)
	ensured(t, m, "good.example.com")
	if c := reaches(t, m, "bad.example.com", anchor.CertFailed); !strings.Contains(c.Problem, "damaged; remove it") {
		t.Errorf("problem: %s", c.Problem)
	}
}

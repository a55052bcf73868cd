package acme

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A certificate is renewed several times under load, on kept and on new connections, each time as
// soon as visitors have met the one before. No request fails.
func TestRenew_UnderLoad(t *testing.T) {
	t.Parallel()
	const name, renewals = "busy.example.com", 3
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	var mu sync.Mutex
	serials := map[string]bool{}
	met := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(serials)
	}
	p.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "renewalInfo") {
			return false
		}
		at := time.Now().Add(24 * time.Hour)
		if met() == p.Orders() {
			at = time.Now().Add(-time.Hour)
		}
		window(w, at, 1)
		return true
	})
	m := open(t, p.config(t))
	f.serve(t, m)
	f.publish(name)
	ensured(t, m, name)

	var served, failed atomic.Int64
	note := func(serial *big.Int) {
		mu.Lock()
		defer mu.Unlock()
		serials[serial.String()] = true
	}
	ctx, stop := context.WithTimeout(t.Context(), testPatience)
	defer stop()
	var load sync.WaitGroup
	for worker := range 4 {
		load.Go(func() {
			transport := &http.Transport{
				TLSClientConfig: &tls.Config{RootCAs: p.roots}, ForceAttemptHTTP2: true, DisableKeepAlives: worker%2 == 0,
				DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
					return (&net.Dialer{}).DialContext(ctx, network, f.tls.Addr().String())
				},
			}
			defer transport.CloseIdleConnections()
			for ctx.Err() == nil {
				req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+name+"/", nil)
				resp, err := transport.RoundTrip(req)
				if err != nil {
					if ctx.Err() == nil {
						failed.Add(1)
						t.Errorf("request %d: %v", served.Load(), err)
					}
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
				served.Add(1)
				note(resp.TLS.PeerCertificates[0].SerialNumber)
				time.Sleep(5 * time.Millisecond)
			}
		})
	}
	for ctx.Err() == nil && met() <= renewals {
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	load.Wait()
	if len(serials) <= renewals {
		m.mu.RLock()
		e := *m.names[name]
		m.mu.RUnlock()
		t.Errorf("%d certificates seen, want more than %d; renewal at %s, retry at %s, under way %v, problem %q",
			len(serials), renewals, e.renewAt, e.retryAt, e.work != nil, e.problem)
	}
	t.Logf("%d requests, %d failed, over %d certificates", served.Load(), failed.Load(), len(serials))
}

// window is the CA's response about a renewal (RFC 9773, section 4.2): a minute from start on, to
// be asked for again after some seconds.
func window(w http.ResponseWriter, start time.Time, again int) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Retry-After", strconv.Itoa(again))
	start = start.UTC()
	fmt.Fprintf(w, `{"suggestedWindow":{"start":%q,"end":%q}}`, start.Format(time.RFC3339), start.Add(time.Minute).Format(time.RFC3339))
}

// A certificate that lives fifteen seconds is renewed automatically, and not before its time.
func TestRenew_ByLifetime(t *testing.T) {
	t.Parallel()
	const name, lifetime = "short.example.com", 15
	f := listenFront(t)
	p := startPebble(t, f.ports(t, lifetime))
	p.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		none := strings.Contains(r.URL.Path, "renewalInfo")
		if none {
			w.WriteHeader(http.StatusNotFound)
		}
		return none
	})
	m := open(t, p.config(t))
	f.serve(t, m)
	first := issuedFirst(t, m, name)
	second := renewed(t, m, name, first)
	if due := renewalTime(name, first.NotBefore, first.NotAfter).Truncate(time.Second); second.NotBefore.Before(due) {
		t.Errorf("renewed at %s, due at %s", second.NotBefore, due)
	}
}

// The CA asks for a renewal now (RFC 9773), two months before two thirds of the life are over.
func TestRenew_ByARIWindow(t *testing.T) {
	t.Parallel()
	const name = "ari.example.com"
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	var known atomic.Bool // reports whether the first one is known
	p.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "renewalInfo") || p.Orders() > 1 {
			return false
		}
		at := time.Now().Add(24 * time.Hour)
		if known.Load() {
			at = time.Now().Add(-time.Hour)
		}
		window(w, at, 1)
		return true
	})
	m := open(t, p.config(t))
	f.serve(t, m)
	first := issuedFirst(t, m, name)
	known.Store(true)
	renewed(t, m, name, first)
}

// issuedFirst returns the first certificate of a name.
func issuedFirst(t *testing.T, m *Manager, name string) *x509.Certificate {
	t.Helper()
	ensured(t, m, name)
	first, err := m.currentLeaf(name)
	if err != nil || first == nil {
		t.Fatal(err)
	}
	return first
}

// renewed waits for the certificate after the first one.
func renewed(t *testing.T, m *Manager, name string, first *x509.Certificate) *x509.Certificate {
	t.Helper()
	for deadline := time.Now().Add(testPatience); ; time.Sleep(20 * time.Millisecond) {
		leaf, err := m.currentLeaf(name)
		if err != nil {
			t.Fatal(err)
		}
		if leaf != nil && !leaf.Equal(first) {
			return leaf
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not renewed", name)
		}
	}
}

// A CA whose window is always over, or that wants to be asked again at once, is not asked in a
// loop.
func TestRenew_ARIWindowInPast(t *testing.T) {
	t.Parallel()
	const name = "hurried.example.com"
	for what, start := range map[string]time.Duration{"a window that is over": -time.Hour, "asked again at once": 24 * time.Hour} {
		t.Run(what, func(t *testing.T) {
			f := listenFront(t)
			p := startPebble(t, f.ports(t, 0))
			var asked atomic.Int64
			p.intercept(func(w http.ResponseWriter, r *http.Request) bool {
				if !strings.Contains(r.URL.Path, "renewalInfo") {
					return false
				}
				asked.Add(1)
				window(w, time.Now().Add(start), 0)
				return true
			})
			cfg := p.config(t)
			cfg.FirstRetry = time.Hour
			m := open(t, cfg)
			f.serve(t, m)
			first := issuedFirst(t, m, name)
			if start < 0 { // it is obeyed once
				renewed(t, m, name, first)
			}
			for settled(m, name) != nil {
				time.Sleep(10 * time.Millisecond)
			}
			m.mu.RLock()
			defer m.mu.RUnlock()
			now, e := time.Now(), m.names[name]
			if e.dueAt(now) || e.nextARICheck.Before(now.Add(cfg.FirstRetry/2)) {
				t.Errorf("due %v: at %s, not before %s; asked again at %s", e.dueAt(now), e.renewAt, e.retryAt, e.nextARICheck)
			}
			// acmez also asks when it downloads a certificate.
			if n := int64(p.Orders()); n > 2 || asked.Load() > 2*n {
				t.Errorf("%d orders, asked %d times", n, asked.Load())
			}
		})
	}
}

// settled returns nil when neither an order nor a question to the CA is under way.
func settled(m *Manager, name string) error {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e := m.names[name]
	if now := time.Now(); e.work != nil || e.nextARICheck.Before(now) || e.nextARICheck.After(now.Add(ariInterval-time.Hour)) {
		return fmt.Errorf("work %v, asked again at %s", e.work, e.nextARICheck)
	}
	return nil
}

// A CA is asked for its window neither in a loop nor never again (RFC 9773, section 4.3.2).
func TestRenew_ARIRetryAfter(t *testing.T) {
	t.Parallel()
	m, now := &Manager{cfg: Config{}.withDefaults()}, time.Now()
	for told, want := range map[time.Duration]time.Duration{
		-time.Hour: time.Minute, 0: time.Minute, 6 * time.Hour: 6 * time.Hour, 10 * 365 * 24 * time.Hour: 24 * time.Hour,
	} {
		if got := m.nextCheck(now.Add(told), now).Sub(now); got != want {
			t.Errorf("told %s, asked after %s, want %s", told, got, want)
		}
	}
}

// The clock of this machine is ahead of a certificate's whole life: it is due for renewal when it
// arrives.
func TestRenew_ClockAheadOfCA(t *testing.T) {
	t.Parallel()
	m, now := &Manager{cfg: Config{}.withDefaults()}, time.Now()
	e := &certState{name: "late.example.com", notBefore: now.Add(-48 * time.Hour), notAfter: now.Add(-24 * time.Hour)}
	e.renewAt = renewalTime(e.name, e.notBefore, e.notAfter)
	var waited time.Duration
	for range 12 {
		m.countEarlyRenewal(e, *e, now)
		wait := e.retryAt.Sub(now)
		if e.dueAt(now) || wait <= waited && wait < longestRetry*9/10 {
			t.Fatalf("due %v after %s, the time before after %s", e.dueAt(now), wait, waited)
		}
		waited = wait
	}
}

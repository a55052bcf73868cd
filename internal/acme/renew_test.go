package acme

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Certificates live fifteen seconds and are renewed some times under load, on kept and on new connections: no request
// fails, and none meets an expired certificate.
func TestRenewalUnderLoad(t *testing.T) {
	const name, lifetime, renewals = "busy.example.com", 15, 2
	f := listenFront(t)
	p := startPebble(t, f.ports(t, lifetime))
	m := open(t, p.config(t))
	f.serve(t, m)
	f.publish(name)
	ensured(t, m, name)

	var served, failed atomic.Int64
	var mu sync.Mutex
	serials := map[string]bool{}
	note := func(serial *big.Int) {
		mu.Lock()
		defer mu.Unlock()
		serials[serial.String()] = true
	}
	ctx, stop := context.WithTimeout(t.Context(), 60*time.Second)
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
	for ctx.Err() == nil {
		mu.Lock()
		seen := len(serials)
		mu.Unlock()
		if seen > renewals {
			break
		}
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

// The CA asks for a renewal now (RFC 9773), two months before two thirds of the life are over.
func TestRenewalByTheCAsWindow(t *testing.T) {
	const name = "ari.example.com"
	f := listenFront(t)
	p := startPebble(t, f.ports(t, 0))
	now := time.Now().UTC()
	var asked atomic.Int64
	p.intercept(func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "renewalInfo") || p.ordered() > 1 {
			return false
		}
		asked.Add(1)
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", "21600")
		fmt.Fprintf(w, `{"suggestedWindow":{"start":%q,"end":%q}}`, now.Add(-time.Hour).Format(time.RFC3339), now.Add(-time.Minute).Format(time.RFC3339))
		return true
	})
	m := open(t, p.config(t))
	f.serve(t, m)
	ensured(t, m, name)
	first, err := m.current(name)
	if err != nil || first == nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		leaf, err := m.current(name)
		if err != nil {
			t.Fatal(err)
		}
		if leaf != nil && !leaf.Equal(first) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("not renewed; the window was asked for %d times", asked.Load())
		}
	}
}

package acme

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

// authority is one CA with our account there.
type authority struct {
	client  *acmeproto.Client
	answers *challenges
	solvers []string // challenge types that can be answered, the preferred one first
	hook    *Hook    // nil without DNS-01
	contact []string
	path    string // of the account file

	mu      sync.Mutex // orders the registrations
	account acmeproto.Account
}

func newAuthority(cfg Config, directory string, answers *challenges, hook *Hook) *authority {
	a := &authority{
		answers: answers, hook: hook,
		path: filepath.Join(cfg.Dir, "accounts", caKey(directory)+".json"),
		client: &acmeproto.Client{
			Directory: directory, UserAgent: "Anchor", Logger: quietLogger(cfg.Log),
			HTTPClient: &http.Client{Timeout: time.Minute, Transport: patient{newTransport(cfg)}},
			// One order polls a few times a second at most; the CA's Retry-After takes precedence.
			PollInterval: 300 * time.Millisecond, PollTimeout: cfg.OrderTimeout,
		},
	}
	if cfg.Email != "" {
		a.contact = []string{"mailto:" + cfg.Email}
	}
	if !cfg.NoHTTP01 {
		a.solvers = append(a.solvers, acmeproto.ChallengeTypeHTTP01)
	}
	if !cfg.NoTLSALPN01 {
		a.solvers = append(a.solvers, acmeproto.ChallengeTypeTLSALPN01)
	}
	if hook != nil {
		a.solvers = append(a.solvers, acmeproto.ChallengeTypeDNS01)
	}
	return a
}

func newTransport(cfg Config) *http.Transport {
	return &http.Transport{
		Proxy:       http.ProxyFromEnvironment,
		DialContext: (&net.Dialer{Timeout: 20 * time.Second}).DialContext,
		// Orders run in parallel and all talk to one host.
		MaxIdleConnsPerHost: cfg.Orders, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: 20 * time.Second, ResponseHeaderTimeout: 45 * time.Second,
		ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: cfg.TrustedRoots, MinVersion: tls.VersionTLS12},
	}
}

func (a *authority) close() { a.client.HTTPClient.CloseIdleConnections() }

// caKey returns a directory URL as a file name.
func caKey(directory string) string {
	u, err := url.Parse(directory)
	if err != nil {
		return "ca"
	}
	return strings.Trim(strings.NewReplacer("/", "-", ":", "-", "..", "").Replace(u.Host+u.Path), "-")
}

// patient is a transport that reports the Retry-After of refusals to the order (RFC 8555, section
// 6.6): acmez has no place for it in a Problem.
type patient struct{ *http.Transport }

type patienceKey struct{}

// withPatience returns a context whose requests record how long the CA asks to be left alone.
func withPatience(ctx context.Context) (context.Context, *patience) {
	p := &patience{}
	return context.WithValue(ctx, patienceKey{}, p), p
}

type patience struct {
	mu    sync.Mutex
	until time.Time
}

func (p *patience) time() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.until
}

// RoundTrip implements http.RoundTripper.
func (t patient) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.Transport.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return resp, err
	}
	if p, ok := r.Context().Value(patienceKey{}).(*patience); ok {
		if at, ok := retryAt(resp.Header.Get("Retry-After"), time.Now()); ok {
			p.mu.Lock()
			p.until = at
			p.mu.Unlock()
		}
	}
	return resp, nil
}

// retryAt reads a Retry-After header: seconds or a date (RFC 9110, section 10.2.3).
func retryAt(header string, now time.Time) (time.Time, bool) {
	if d, err := time.ParseDuration(header + "s"); err == nil && d >= 0 {
		return now.Add(d), true
	}
	at, err := http.ParseTime(header)
	return at, err == nil
}

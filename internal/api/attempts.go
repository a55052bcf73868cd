package api

import (
	"context"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

// How wrong tokens are slowed. A token has 256 random bits, so no pace of guessing finds
// one; the delay keeps a guesser from costing more than a connection, and the log names its
// address.
const (
	freeFailures    = 10 // of an address before its wrong tokens wait
	firstDelay      = 50 * time.Millisecond
	longestDelay    = 2 * time.Second
	forgetFailures  = 10 * time.Minute // after the last one
	maxAddresses    = 4096             // remembered at a time
	waitingEach     = 16               // requests of one address that wait
	waitingTogether = 256
)

// attempts counts the wrong tokens of each address, in bounded memory.
type attempts struct {
	mu      sync.Mutex
	now     func() time.Time
	byAddr  map[netip.Prefix]*attempt
	waiting int
}

type attempt struct {
	failed  int
	waiting int
	last    time.Time
}

func newAttempts() *attempts {
	return &attempts{now: time.Now, byAddr: map[netip.Prefix]*attempt{}}
}

// fail counts a wrong token and returns how many the address has sent, and how long the
// answer has to wait. ok is false when too many wait already. After a wait, done.
func (a *attempts) fail(from netip.Prefix) (failed int, delay time.Duration, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	t := a.byAddr[from]
	if t == nil || a.now().Sub(t.last) > forgetFailures && t.waiting == 0 {
		a.makeRoom()
		t = &attempt{}
		a.byAddr[from] = t
	}
	t.failed++
	t.last = a.now()
	if t.failed <= freeFailures {
		return t.failed, 0, true
	}
	if t.waiting >= waitingEach || a.waiting >= waitingTogether {
		return t.failed, 0, false
	}
	t.waiting++
	a.waiting++
	return t.failed, min(longestDelay, firstDelay<<min(t.failed-freeFailures-1, 10)), true
}

func (a *attempts) done(from netip.Prefix) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting--
	if t := a.byAddr[from]; t != nil {
		t.waiting--
	}
}

// makeRoom removes, when there are too many, the address whose last wrong token is oldest and
// that no request waits for. Callers hold mu.
func (a *attempts) makeRoom() {
	if len(a.byAddr) < maxAddresses {
		return
	}
	var oldest netip.Prefix
	var since time.Time
	for addr, t := range a.byAddr {
		if t.waiting == 0 && (since.IsZero() || t.last.Before(since)) {
			oldest, since = addr, t.last
		}
	}
	delete(a.byAddr, oldest)
}

// refuse counts, logs and delays the answer to a wrong token. Requests with a valid token do
// not pass here, whatever else their address sends.
func (s *server) refuse(ctx context.Context, r *http.Request, why error) error {
	from := s.client(r)
	if !from.IsValid() {
		s.Log.WarnContext(ctx, "a wrong token", "requestId", requestID(ctx), "error", why)
		return why
	}
	failed, delay, ok := s.attempts.fail(from)
	if failed&(failed-1) == 0 { // 1, 2, 4, 8, …: a guesser does not fill the log
		s.Log.WarnContext(ctx, "a wrong token", "requestId", requestID(ctx), "client", from.Addr().String(),
			"count", failed, "error", why)
	}
	if !ok {
		p := newProblem(http.StatusTooManyRequests, "too_many_wrong_tokens", "this address sent too many wrong tokens",
			"Set ANCHOR_TOKEN to a token of this server. Requests with a valid token are still answered.")
		p.header = http.Header{"Retry-After": {"2"}}
		return p
	}
	if delay > 0 {
		defer s.attempts.done(from)
		s.Sleep(ctx, delay)
	}
	return why
}

// client returns the network that a request came from: an IPv4 address, or the /64 that one
// holder of IPv6 addresses has at least (RFC 6177).
func (s *server) client(r *http.Request) netip.Prefix {
	addr := s.clientAddr(r)
	bits := 32
	if addr.Is6() {
		bits = 64
	}
	network, _ := addr.WithZone("").Prefix(bits)
	return network
}

// clientAddress returns the address that a request came from as text, "" if it is unknown.
func (s *server) clientAddress(r *http.Request) string {
	if addr := s.clientAddr(r); addr.IsValid() {
		return addr.String()
	}
	return ""
}

// clientAddr returns the address that a request came from. X-Forwarded-For is believed from
// TrustedProxies only.
func (s *server) clientAddr(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	addr := at.Addr().Unmap()
	hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(hops) - 1; i >= 0 && s.trusts(addr); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		addr = hop.Unmap()
	}
	return addr
}

func (s *server) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(s.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(addr) })
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

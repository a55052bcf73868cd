package acme

import (
	"crypto/tls"
	"net/http"
	"strings"
	"sync"

	"github.com/mholt/acmez/v3"
	acmeproto "github.com/mholt/acmez/v3/acme"
)

// challengePath is where the CA looks for HTTP-01 answers (RFC 8555, section 8.3).
const challengePath = "/.well-known/acme-challenge/"

// challenges are the answers to the CA's challenges under way. They are in memory only: after a
// restart the order that continues presents them again.
type challenges struct {
	mu   sync.RWMutex
	http map[string]acmeproto.Challenge // by token
	alpn map[string]*tls.Certificate    // by name
}

func newChallenges() *challenges {
	return &challenges{http: map[string]acmeproto.Challenge{}, alpn: map[string]*tls.Certificate{}}
}

// present makes c answerable until the returned function is called.
func (s *challenges) present(c acmeproto.Challenge) (withdraw func(), err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c.Type == acmeproto.ChallengeTypeTLSALPN01 {
		cert, err := acmez.TLSALPN01ChallengeCert(c)
		if err != nil {
			return nil, err
		}
		name := c.Identifier.Value
		s.alpn[name] = cert
		return func() { s.mu.Lock(); defer s.mu.Unlock(); delete(s.alpn, name) }, nil
	}
	s.http[c.Token] = c
	return func() { s.mu.Lock(); defer s.mu.Unlock(); delete(s.http, c.Token) }, nil
}

// challengeCert returns the certificate of RFC 8737 for a name whose TLS-ALPN-01 challenge is under
// way, or nil.
func (s *challenges) challengeCert(name string) *tls.Certificate {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.alpn[name]
}

// wrapHandler answers HTTP-01 challenges under way and passes everything else to next: a site may have
// an ACME client of its own. The host has to be the one that the challenge is about, so that nobody
// can borrow an answer by pointing DNS here.
func (s *challenges) wrapHandler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, ours := strings.CutPrefix(r.URL.Path, challengePath)
		if !ours || r.Method != http.MethodGet && r.Method != http.MethodHead {
			next.ServeHTTP(w, r)
			return
		}
		s.mu.RLock()
		c, known := s.http[token]
		s.mu.RUnlock()
		if name, ok := normalName(hostOf(r.Host)); !known || !ok || name != c.Identifier.Value {
			next.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("Cache-Control", "no-store")
		_, _ = w.Write([]byte(c.KeyAuthorization))
	})
}

func hostOf(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		return host[:i]
	}
	return host
}

package acme

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/crypto/ocsp"
)

const (
	// stapleTimeout is how long a responder may take.
	stapleTimeout = 10 * time.Second
	// maxStaple bounds a response in bytes. Usual ones have 2 KB with the responder's certificate.
	maxStaple = 64 << 10
	// stapleRequests is how many responders are asked at a time.
	stapleRequests = 16
)

// staples keeps fresh OCSP responses (RFC 6960) for the certificates in memory that name a
// responder, to be stapled to handshakes (RFC 6066, section 8). No handshake waits for a responder,
// and no response is stapled after its end.
type staples struct {
	dir     string
	pause   time.Duration // after a failure, and the least time between two requests for one certificate
	client  *http.Client
	log     *slog.Logger
	slots   chan struct{}
	revoked func(name string, leaf fingerprint) // must not block for long

	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup

	mu   sync.RWMutex
	held map[fingerprint]*holder
}

// holder is a certificate in memory that names a responder.
type holder struct {
	name         string
	print        fingerprint
	leaf, issuer *x509.Certificate
	cancel       context.CancelFunc
	response     *ocsp.Response // nil when there is none; guarded by staples.mu
}

func newStaples(cfg Config, revoked func(name string, leaf fingerprint)) *staples {
	s := &staples{
		dir: filepath.Join(cfg.Dir, "ocsp"), pause: cfg.FirstRetry, log: cfg.Log, revoked: revoked,
		client: &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, IdleConnTimeout: time.Minute}},
		slots:  make(chan struct{}, stapleRequests), held: map[fingerprint]*holder{},
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// close stops the requests. Existing responses are stapled for as long as they are valid.
func (s *staples) close() {
	s.mu.Lock()
	s.cancel()
	s.mu.Unlock()
	s.group.Wait()
	s.client.CloseIdleConnections()
}

// holdStaple starts to maintain a response for the certificate served for name. It starts from the stored
// response if that is still valid. Without a responder, or without the issuer in the chain, there
// is nothing to ask for.
func (s *staples) holdStaple(name string, cert *tls.Certificate) {
	if cert.Leaf == nil || len(cert.Leaf.OCSPServer) == 0 || len(cert.Certificate) < 2 {
		return
	}
	issuer, err := x509.ParseCertificate(cert.Certificate[1])
	if err != nil {
		return
	}
	h := &holder{name: name, print: fingerprintOf(cert.Leaf), leaf: cert.Leaf, issuer: issuer}
	h.response = s.readStored(h)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || s.held[h.print] != nil {
		return
	}
	var ctx context.Context
	ctx, h.cancel = context.WithCancel(s.ctx)
	s.held[h.print] = h
	s.group.Go(func() { s.keepFresh(ctx, h) })
}

// forgetStaple stops maintaining the response of a certificate that leaves the memory. The stored
// response stays.
func (s *staples) forgetStaple(leaf fingerprint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[leaf]; h != nil {
		h.cancel()
		delete(s.held, leaf)
	}
}

// stapleOf returns the response to staple to the certificate, or nil.
func (s *staples) stapleOf(leaf fingerprint, now time.Time) []byte {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if h := s.held[leaf]; h != nil && h.response != nil && h.response.Status == ocsp.Good && now.Before(validUntil(h.response)) {
		return h.response.Raw
	}
	return nil
}

// keepFresh requests a new response once the current one has lived half its life, until the certificate
// expires or is forgotten.
func (s *staples) keepFresh(ctx context.Context, h *holder) {
	for failures := 0; ctx.Err() == nil && time.Now().Before(h.leaf.NotAfter); {
		wait := time.Until(s.refreshAt(h))
		if wait <= 0 {
			failures++
			if err := s.refreshStaple(ctx, h); err == nil {
				failures = 0
			} else if ctx.Err() == nil {
				s.log.Debug("an OCSP response could not be refreshed", "domain", h.name, "responder", h.leaf.OCSPServer[0], "attempt", failures, "error", err)
			}
			wait = max(time.Until(s.refreshAt(h)), s.pause<<min(failures, 10))
		}
		select {
		case <-time.After(min(wait, longestSleep)):
		case <-ctx.Done():
		}
	}
}

// refreshAt returns half-way through the life of the response, or the zero time without one.
func (s *staples) refreshAt(h *holder) time.Time {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if h.response == nil {
		return time.Time{}
	}
	from := h.response.ThisUpdate
	return from.Add(validUntil(h.response).Sub(from) / 2)
}

// refreshStaple asks the responder and stores its response.
func (s *staples) refreshStaple(ctx context.Context, h *holder) error {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-s.slots }()
	raw, err := s.askResponder(ctx, h)
	if err != nil {
		return err
	}
	response, err := readResponse(raw, h.leaf, h.issuer, time.Now())
	if err != nil {
		return err
	}
	if response.Status == ocsp.Revoked {
		s.log.Error("the CA has revoked a certificate that is served", "domain", h.name, "at", response.RevokedAt, "issuer", h.leaf.Issuer.CommonName)
		err = s.removeStaple(h.name)
		defer s.revoked(h.name, h.print)
	} else {
		err = s.storeStaple(h, raw)
	}
	s.mu.Lock()
	h.response = response // after it is stored: what was stapled survives this process
	s.mu.Unlock()
	return err
}

// askResponder sends the request by POST (RFC 6960, appendix A.1).
func (s *staples) askResponder(ctx context.Context, h *holder) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, stapleTimeout)
	defer cancel()
	question, err := ocsp.CreateRequest(h.leaf, h.issuer, nil)
	if err != nil {
		return nil, fmt.Errorf("make the OCSP request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.leaf.OCSPServer[0], bytes.NewReader(question))
	if err != nil {
		return nil, fmt.Errorf("make the OCSP request: %w", err)
	}
	req.Header.Set("Content-Type", "application/ocsp-request")
	resp, err := s.client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the OCSP responder: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the OCSP responder: it answers %s", resp.Status)
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxStaple))
	if err != nil {
		return nil, fmt.Errorf("read the OCSP response: %w", err)
	}
	return raw, nil
}

// readResponse returns a response that clients accept: about the leaf, signed by its issuer or by a
// delegate of the issuer (RFC 6960, section 4.2.2.2), valid now, and Good or Revoked.
func readResponse(raw []byte, leaf, issuer *x509.Certificate, now time.Time) (*ocsp.Response, error) {
	response, err := ocsp.ParseResponseForCert(raw, leaf, issuer)
	if err != nil {
		return nil, fmt.Errorf("read the OCSP response: %w", err)
	}
	signer := response.Certificate
	switch {
	case signer != nil && !signer.Equal(issuer) && !slices.Contains(signer.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning):
		return nil, fmt.Errorf("the OCSP response is signed by %s, which may not", signer.Subject)
	case now.Before(response.ThisUpdate) || !now.Before(validUntil(response)):
		return nil, fmt.Errorf("the OCSP response is valid from %s to %s only", response.ThisUpdate, validUntil(response))
	case response.Status != ocsp.Good && response.Status != ocsp.Revoked:
		return nil, errors.New("the OCSP responder does not know the certificate")
	}
	return response, nil
}

// validUntil returns when clients stop accepting the response. A response without an end (RFC 6960,
// section 4.2.2.1) could be of any age and counts as ended.
func validUntil(r *ocsp.Response) time.Time {
	if r.Certificate != nil && r.Certificate.NotAfter.Before(r.NextUpdate) {
		return r.Certificate.NotAfter
	}
	return r.NextUpdate
}

func (s *staples) staplePath(name string) string { return filepath.Join(s.dir, fileName(name, ".der")) }

// readStored reads the response of an earlier process, or returns nil when it is no longer usable.
func (s *staples) readStored(h *holder) *ocsp.Response {
	raw, err := os.ReadFile(s.staplePath(h.name))
	if err != nil {
		return nil
	}
	response, err := readResponse(raw, h.leaf, h.issuer, time.Now())
	if err != nil {
		return nil
	}
	return response
}

func (s *staples) storeStaple(h *holder, raw []byte) error {
	err := writeFile(s.staplePath(h.name), raw)
	s.mu.RLock()
	held := s.held[h.print] == h
	s.mu.RUnlock()
	if !held { // released meanwhile, perhaps before the file was written
		return errors.Join(err, s.removeStaple(h.name))
	}
	return err
}

func (s *staples) removeStaple(name string) error {
	if err := removeFile(s.staplePath(name)); err != nil {
		return fmt.Errorf("remove the OCSP response for %s: %w", name, err)
	}
	return nil
}

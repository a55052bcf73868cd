package acme

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/caddyserver/certmagic"
	"golang.org/x/sync/singleflight"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// Manager issues, renews and serves certificates. It implements domains.Certificates.
type Manager struct {
	cfg     Config
	store   *storage
	cache   *certmagic.Cache
	magic   certmagic.Config // of which each name has a copy with its own issuer
	cas     []*authority
	answers *challenges
	staples *staples
	slots   chan struct{} // one for each order that may run

	mu    sync.RWMutex
	names map[string]*entry // attached names
	hot   *recent
	loads singleflight.Group

	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
	wake   chan struct{}

	closing sync.Once
}

var _ domains.Certificates = (*Manager)(nil)

// New opens cfg.Dir and begins to renew what is there. Names with a certificate in it are served at once; names whose
// order was under way go on with it. Close ends it.
func New(cfg Config) (*Manager, error) {
	cfg = cfg.withDefaults()
	hook, err := findHook(cfg.DNS01, cfg.Resolvers)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		cfg: cfg, store: newStorage(cfg.Dir), answers: newChallenges(), names: map[string]*entry{},
		slots: make(chan struct{}, cfg.Orders), wake: make(chan struct{}, 1),
	}
	m.cas = append(m.cas, newAuthority(cfg, cfg.CA, m.answers, hook))
	if cfg.FallbackCA != "" && cfg.FallbackCA != cfg.CA {
		m.cas = append(m.cas, newAuthority(cfg, cfg.FallbackCA, m.answers, hook))
	}
	m.hot = newRecent(cfg.Hot)
	m.staples = newStaples(cfg, m.revoked)
	m.openCache()
	m.ctx, m.cancel = context.WithCancel(context.Background())
	if err := m.restore(); err != nil {
		m.Close()
		return nil, err
	}
	m.group.Go(m.maintain)
	return m, nil
}

// openCache makes certmagic's cache. Renewals are not left to it, as it renews only what is in memory, and neither are
// OCSP staples (see staples).
func (m *Manager) openCache() {
	log := zapLogger(m.cfg.Log)
	m.cache = certmagic.NewCache(certmagic.CacheOptions{
		GetConfigForCert:   func(certmagic.Certificate) (*certmagic.Config, error) { return certmagic.New(m.cache, m.magic), nil },
		RenewCheckInterval: math.MaxInt64, OCSPCheckInterval: math.MaxInt64, Logger: log,
	})
	m.magic = certmagic.Config{
		Storage: m.store, Logger: log, DisableARI: true, DisableStorageCheck: true,
		Issuers: []certmagic.Issuer{m.issuer(nil, nil)}, OCSP: certmagic.OCSPConfig{DisableStapling: true},
	}
}

// Close stops the work under way. Orders are left as they are at the CA and go on after the next New. Certificates are
// still served. A second Close does nothing.
func (m *Manager) Close() {
	m.closing.Do(func() {
		m.mu.Lock() // start does not add to the group once it is waited for
		m.cancel()
		m.mu.Unlock()
		m.group.Wait()
		m.staples.close()
		m.cache.Stop()
		for _, ca := range m.cas {
			ca.close()
		}
	})
}

// restore attaches the names that have files in Dir.
func (m *Manager) restore() error {
	issued, err := m.store.names(m.issuerKey())
	if err != nil {
		return err
	}
	for _, name := range issued {
		if err := m.restoreIssued(name); err != nil {
			m.cfg.Log.Warn("a stored certificate cannot be used and is ordered anew", "domain", name, "error", err)
			if err := os.RemoveAll(m.store.Filename(certmagic.StorageKeys.CertsSitePrefix(m.issuerKey(), name))); err != nil {
				return fmt.Errorf("remove the damaged certificate of %s: %w", name, err)
			}
		}
	}
	if err := m.restoreOwn(); err != nil {
		return err
	}
	pending, err := hosts(filepath.Join(m.cfg.Dir, "orders"), ".json")
	if err != nil {
		return err
	}
	for _, name := range pending {
		if err := m.restoreOrder(name); err != nil {
			m.cfg.Log.Error("an order under way cannot be gone on with", "domain", name, "error", err) // the others can
		}
	}
	return nil
}

func (m *Manager) restoreIssued(name string) error {
	leaf, err := m.store.pair(m.issuerKey(), name)
	if err != nil {
		return err
	}
	e := &entry{name: name}
	e.holds(leaf, "")
	e.askAt = spread(time.Now(), ariInterval)
	m.names[name] = e
	return nil
}

// restoreOrder takes up the failures of an order under way; the order itself goes on when due.
func (m *Manager) restoreOrder(name string) error {
	j, err := openJournal(m.cfg.Dir, name)
	if err != nil {
		return err
	}
	if j.CA != "" && !slices.ContainsFunc(m.cas, func(a *authority) bool { return a.client.Directory == j.CA }) {
		j.Failures, j.RetryAt, j.Problem, j.Failed = 0, time.Time{}, "", nil // they were with another CA
		if err := j.save(); err != nil {
			return err
		}
	}
	m.mu.Lock() // orders taken up before this one run already
	defer m.mu.Unlock()
	e := m.names[name]
	switch {
	case e == nil:
		e = &entry{name: name}
		m.names[name] = e
	case e.own: // imported while the order ran; it goes on when an issued certificate is wanted again
		return nil
	}
	e.retryAt, e.problem = j.RetryAt, j.Problem
	if j.Order != "" && j.Failures == 0 {
		e.renewAt = time.Time{}
		m.start(e)
	}
	return nil
}

// Ensure implements domains.Certificates. It does not wait: an order runs in the background, and Config.Changed tells
// when it has ended. After a failure the next attempt is not before the time that the problem names.
func (m *Manager) Ensure(_ context.Context, h anchor.Hostname) (domains.Certificate, error) {
	name, err := m.checkName(h.Name)
	if err != nil {
		return domains.Certificate{}, err
	}
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.names[name]
	if h.OwnCert {
		if e == nil || !e.own {
			return domains.Certificate{}, anchor.NotFound("certificate_missing", "the certificate you brought for %s is not here", h.Name).
				Hintf("Import it again: anchor domains add %s --cert FILE --key FILE.", h.Name)
		}
		return m.ownState(e, h, now), nil
	}
	if e == nil {
		e = &entry{name: name}
		m.names[name] = e
	}
	if e.due(now) || e.own && e.work == nil && !now.Before(e.retryAt) {
		m.start(e)
	}
	return e.certificate(h.ProjectID, now), nil
}

func (m *Manager) checkName(name string) (string, error) {
	base := name
	if wildcard(name) {
		base = name[2:]
	}
	if ascii, ok := normal(base); !ok || ascii != base {
		return "", anchor.Invalid("bad_domain", "%q is not a domain name in lower-case A-labels", name)
	}
	return name, nil
}

// Release implements domains.Certificates. New handshakes for the name fail from now on; connections stay.
func (m *Manager) Release(ctx context.Context, h anchor.Hostname) error {
	m.mu.Lock()
	e := m.names[h.Name]
	if e == nil {
		m.mu.Unlock()
		return m.removeFiles(h.Name)
	}
	delete(m.names, h.Name)
	w := e.work
	e.work = nil
	m.mu.Unlock()
	if w != nil {
		w.cancel()
		select {
		case <-w.done:
		case <-ctx.Done():
			return fmt.Errorf("stop the order of %s: %w", h.Name, ctx.Err())
		}
	}
	m.mu.RLock()
	hash := e.hash
	m.mu.RUnlock()
	if hash != "" {
		m.drop(hash)
	}
	return m.removeFiles(h.Name)
}

func (m *Manager) removeFiles(name string) error {
	j := journal{Name: name, path: journalPath(m.cfg.Dir, name)}
	site := m.store.Filename(certmagic.StorageKeys.CertsSitePrefix(m.issuerKey(), name))
	if err := errors.Join(j.remove(), os.RemoveAll(site), removeOwn(m.cfg.Dir, name), m.staples.remove(name)); err != nil {
		return fmt.Errorf("remove the certificate of %s: %w", name, err)
	}
	return nil
}

// HTTPChallenge answers the CA's HTTP-01 requests for orders under way, and passes all else to next.
func (m *Manager) HTTPChallenge(next http.Handler) http.Handler { return m.answers.handler(next) }

// issuerKey names the folder of certificates: one for each CA, so that a staging one is never taken for a real one.
func (m *Manager) issuerKey() string { return caKey(m.cfg.CA) }

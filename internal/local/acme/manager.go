package acme

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/keylock"
)

// Manager issues, renews and serves certificates. It implements domains.Certificates.
type Manager struct {
	cfg     Config
	cas     []*authority
	answers *challenges
	staples *staples
	slots   chan struct{} // one for each order that may run
	running keylock.Locks[string]

	issued, imported certs
	hot              *lru[fingerprint, *tls.Certificate] // certificates in memory
	loads            singleflight.Group

	mu    sync.RWMutex
	names map[string]*certState // attached names

	ctx    context.Context
	cancel context.CancelFunc
	group  sync.WaitGroup
	wake   chan struct{}

	closing sync.Once
}

var _ domains.Certificates = (*Manager)(nil)

// New opens cfg.Dir and starts to renew the certificates in it. Names with a certificate are served
// at once; orders that were under way continue. It first migrates the folder of an earlier version.
// Close ends the Manager.
func New(cfg Config) (*Manager, error) {
	cfg = cfg.withDefaults()
	hook, err := findHook(cfg.DNS01, cfg.Resolvers)
	if err != nil {
		return nil, err
	}
	m := &Manager{
		cfg: cfg, answers: newChallenges(), names: map[string]*certState{},
		issued: issuedCerts(cfg.Dir, caKey(cfg.CA)), imported: importedCerts(cfg.Dir),
		slots: make(chan struct{}, cfg.Orders), wake: make(chan struct{}, 1),
	}
	m.cas = append(m.cas, newAuthority(cfg, cfg.CA, m.answers, hook))
	if cfg.FallbackCA != "" && cfg.FallbackCA != cfg.CA {
		m.cas = append(m.cas, newAuthority(cfg, cfg.FallbackCA, m.answers, hook))
	}
	m.hot = newLRU[fingerprint, *tls.Certificate](cfg.Hot)
	m.staples = newStaples(cfg, m.renewRevoked)
	m.ctx, m.cancel = context.WithCancel(context.Background())
	if err := m.restoreNames(); err != nil {
		m.Close()
		return nil, err
	}
	m.group.Go(m.maintainCerts)
	return m, nil
}

// Close stops the work under way. Orders stay as they are at the CA and continue after the next
// New. Certificates are still served. A second Close does nothing.
func (m *Manager) Close() {
	m.closing.Do(func() {
		m.mu.Lock() // start does not add to the group once it is waited for
		m.cancel()
		m.mu.Unlock()
		m.group.Wait()
		m.staples.close()
		for _, ca := range m.cas {
			ca.close()
		}
	})
}

// restoreNames attaches the names that have files in Dir.
func (m *Manager) restoreNames() error {
	if err := migrateLegacy(m.cfg.Dir, m.cfg.Log); err != nil {
		return err
	}
	if err := m.restoreIssued(); err != nil {
		return err
	}
	if err := m.restoreImported(); err != nil {
		return err
	}
	pending, err := listHosts(filepath.Join(m.cfg.Dir, "orders"), ".json")
	if err != nil {
		return err
	}
	for _, name := range pending {
		if err := m.restoreOrder(name); err != nil {
			m.cfg.Log.Error("an order under way cannot be continued", "domain", name, "error", err) // the others can
		}
	}
	return nil
}

// restoreIssued attaches the names with an issued certificate.
func (m *Manager) restoreIssued() error {
	names, err := m.issued.listNames()
	if err != nil {
		return err
	}
	for _, name := range names {
		cert, err := m.issued.readCert(name)
		if err != nil { // its successor replaces it
			m.cfg.Log.Warn("a stored certificate cannot be used and is ordered again", "domain", name, "error", err)
			continue
		}
		e := &certState{name: name}
		e.setCertificate(cert.Leaf)
		e.nextARICheck = spreadOver(time.Now(), ariInterval)
		m.names[name] = e
	}
	return nil
}

// restoreOrder loads the failures of an order under way; the order itself continues when due.
func (m *Manager) restoreOrder(name string) error {
	j, err := openJournal(m.cfg.Dir, name)
	if err != nil {
		return err
	}
	if j.CA != "" && !slices.ContainsFunc(m.cas, func(a *authority) bool { return a.client.Directory == j.CA }) {
		j.Failures, j.RetryAt, j.Problem, j.Failed = 0, time.Time{}, "", nil // those were with another CA
		if err := j.saveFile(); err != nil {
			return err
		}
	}
	m.mu.Lock() // orders restored before this one run already
	defer m.mu.Unlock()
	e := m.names[name]
	switch {
	case e == nil:
		e = &certState{name: name}
		m.names[name] = e
	case e.imported: // it continues when an issued certificate is wanted again
		return nil
	}
	e.retryAt, e.problem = j.RetryAt, j.Problem
	if j.Order != "" && j.Failures == 0 {
		e.renewAt = time.Time{}
		m.start(e)
	}
	return nil
}

// Ensure implements domains.Certificates. It does not wait: an order runs in the background, and
// Config.Changed reports its end. After a failure the next attempt starts no earlier than the time
// that the problem names.
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
		if e == nil || !e.imported {
			return domains.Certificate{}, anchor.NotFound("certificate_missing", "the imported certificate for %s does not exist on this server", h.Name).
				Hintf("Import it again: anchor domains add %s --cert FILE --key FILE.", h.Name)
		}
		return m.importedState(e, h, now), nil
	}
	if e == nil {
		e = &certState{name: name}
		m.names[name] = e
	}
	if e.dueAt(now) || e.imported && e.work == nil && !now.Before(e.retryAt) {
		m.start(e)
	}
	return e.describeCert(h.ProjectID, now), nil
}

func (m *Manager) checkName(name string) (string, error) {
	base := name
	if isWildcard(name) {
		base = name[2:]
	}
	if ascii, ok := normalName(base); !ok || ascii != base {
		return "", anchor.Invalid("bad_domain", "%q is not a domain name in lower-case A-labels", name)
	}
	return name, nil
}

// Release implements domains.Certificates. New handshakes for the name fail from now on; existing
// connections stay open.
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
	leaf := e.leaf
	m.mu.RUnlock()
	m.dropFromMemory(leaf)
	return m.removeFiles(h.Name)
}

func (m *Manager) removeFiles(name string) error {
	j := journal{Name: name, path: journalPath(m.cfg.Dir, name)}
	unmigrated := legacySite{dir: m.cfg.Dir, ca: caKey(m.cfg.CA), name: name}
	return errors.Join(j.removeFile(), m.issued.removeCert(name), m.imported.removeCert(name), m.staples.removeStaple(name), unmigrated.removeFiles())
}

// HTTPChallenge answers the CA's HTTP-01 requests for orders under way, and passes everything else
// to next.
func (m *Manager) HTTPChallenge(next http.Handler) http.Handler { return m.answers.wrapHandler(next) }

package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/caddyserver/certmagic"
)

// issuer is the CAs as certmagic asks them, for one name.
type issuer struct {
	m        *Manager
	journal  *journal
	replaces *x509.Certificate // nil for a first certificate
}

func (m *Manager) issuer(j *journal, replaces *x509.Certificate) certmagic.Issuer {
	return issuer{m, j, replaces}
}

// IssuerKey implements certmagic.Issuer. A fallback's certificates lie with those of the CA it stood in for.
func (i issuer) IssuerKey() string { return i.m.issuerKey() }

// Issue implements certmagic.Issuer. The next CA is asked only when the one before failed for reasons of its own.
func (i issuer) Issue(ctx context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	var failed error
	for _, ca := range i.m.cas {
		chain, err := ca.issue(ctx, i.journal, csr, i.replaces)
		if err == nil {
			return &certmagic.IssuedCertificate{Certificate: chain, Metadata: map[string]string{"ca": ca.client.Directory}}, nil
		}
		failed = errors.Join(failed, err)
		if !blameless(err) || ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

// start runs the name's order in the background; m.mu is held.
func (m *Manager) start(e *entry) {
	if m.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(m.ctx)
	w := &work{cancel: cancel, done: make(chan struct{})}
	e.work = w
	m.group.Go(func() {
		defer close(w.done)
		defer cancel()
		select {
		case m.slots <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-m.slots }()
		m.run(ctx, e, w)
	})
}

// run takes the name's order as far as it goes and notes how it ended.
func (m *Manager) run(ctx context.Context, e *entry, w *work) {
	j, err := openJournal(m.cfg.Dir, e.name)
	if err == nil {
		limited, patience := withPatience(ctx)
		limited, cancel := context.WithTimeout(limited, m.cfg.OrderTimeout)
		err = m.obtain(limited, j)
		cancel()
		if err != nil && ctx.Err() == nil {
			err = m.failed(e, j, err, patience.time())
		}
	}
	if ctx.Err() != nil {
		return // closed or released
	}
	if err == nil {
		err = m.adopt(ctx, e, w, j)
	}
	m.mu.Lock()
	if e.work != w {
		m.mu.Unlock()
		return // an imported certificate has taken the place of this order
	}
	if err != nil {
		e.problem = err.Error()
		if e.retryAt.Before(time.Now()) {
			e.retryAt = time.Now().Add(m.cfg.FirstRetry)
		}
	}
	e.work = nil
	m.mu.Unlock()
	m.poke()
	m.cfg.Changed(e.name)
}

// obtain has certmagic get a certificate with the journal's key and store it.
func (m *Manager) obtain(ctx context.Context, j *journal) error {
	current, err := m.current(j.Name)
	if err != nil {
		return err
	}
	if current != nil && j.Key != "" && madeWith(current, j) {
		_, err := m.store.pair(m.issuerKey(), j.Name)
		return err // stored, but a process ended, or its disk was full, before the journal was closed
	}
	one := m.magic
	one.KeySource = j
	one.Issuers = []certmagic.Issuer{m.issuer(j, current)}
	magic := certmagic.New(m.cache, one)
	if current != nil {
		return magic.RenewCertSync(ctx, j.Name, true)
	}
	return magic.ObtainCertSync(ctx, j.Name)
}

// adopt serves the certificate that was stored, in place of the one before, and closes the journal.
func (m *Manager) adopt(ctx context.Context, e *entry, w *work, j *journal) error {
	cert, err := certmagic.New(m.cache, m.magic).CacheManagedCertificate(ctx, e.name)
	if err != nil {
		return fmt.Errorf("read the new certificate of %s: %w", e.name, err)
	}
	m.mu.Lock()
	if e.work != w {
		m.mu.Unlock()
		m.drop(cert.Hash())
		return nil
	}
	before := *e
	e.own = false
	e.holds(cert.Leaf, cert.Hash())
	e.askAt = time.Now()
	m.hurried(e, before, e.askAt)
	m.mu.Unlock()
	if before.hash != "" && before.hash != cert.Hash() {
		m.drop(before.hash)
	}
	m.staples.hold(e.name, cert.Hash(), &cert.Certificate)
	m.touch(cert.Hash())
	if before.own {
		err = removeOwn(m.cfg.Dir, e.name)
	}
	m.cfg.Log.Info("certificate issued", "domain", e.name, "until", cert.Leaf.NotAfter, "issuer", cert.Leaf.Issuer.CommonName)
	return errors.Join(err, j.remove())
}

// failed notes a failure and when to try again, durably: a CA counts failures across our restarts.
func (m *Manager) failed(e *entry, j *journal, cause error, patience time.Time) error {
	j.Failures++
	now := time.Now()
	j.RetryAt = now.Add(m.backoff(j.Failures))
	if latest := now.Add(longestPatience); patience.After(latest) {
		patience = latest
	}
	if patience.After(j.RetryAt) {
		j.RetryAt = patience
	}
	j.Problem = explain(e.name, cause, j.RetryAt)
	m.cfg.Log.Warn("no certificate yet", "domain", e.name, "attempt", j.Failures, "retryAt", j.RetryAt, "error", cause)
	m.mu.Lock()
	e.retryAt, e.problem = j.RetryAt, j.Problem
	m.mu.Unlock()
	if err := j.save(); err != nil {
		return err
	}
	return errors.New(j.Problem)
}

// longestPatience is how far a CA's Retry-After is believed. Let's Encrypt counts by the week at most; beyond that it is
// a mistake, or one of the two clocks is wrong, and the name would never have a certificate.
const longestPatience = 7 * 24 * time.Hour

// longestRetry is the most that a name waits between two attempts of its own accord.
const longestRetry = 12 * time.Hour

func (m *Manager) backoff(failures int) time.Duration {
	wait := longestRetry
	if failures < 16 {
		wait = min(wait, m.cfg.FirstRetry<<(failures-1))
	}
	return wait - time.Duration(float64(wait)/10*random())
}

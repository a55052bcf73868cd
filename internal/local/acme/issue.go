package acme

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/mholt/acmez/v3"
)

// orderChain asks the CAs for the PEM chain for csr. The next CA is asked only when the one before
// failed and the name is not at fault. replaces is nil for a first certificate.
func (m *Manager) orderChain(ctx context.Context, j *journal, csr *x509.CertificateRequest, replaces *x509.Certificate) ([]byte, error) {
	var failed error
	for _, ca := range m.cas {
		chain, err := ca.issueChain(ctx, j, csr, replaces)
		if err == nil {
			return chain, nil
		}
		failed = errors.Join(failed, err)
		if !isBlameless(err) || ctx.Err() != nil {
			break
		}
	}
	return nil, failed
}

// start runs the name's order in the background. The caller holds m.mu.
func (m *Manager) start(e *certState) {
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

// run advances the name's order as far as possible and records how it ended.
func (m *Manager) run(ctx context.Context, e *certState, w *work) {
	defer m.running.Lock(e.name)() // a canceled run of the same name may not have ended yet
	j, err := openJournal(m.cfg.Dir, e.name)
	if err == nil {
		limited, patience := withPatience(ctx)
		limited, cancel := context.WithTimeout(limited, m.cfg.OrderTimeout)
		err = m.obtainCert(limited, j)
		cancel()
		if err != nil && ctx.Err() == nil {
			err = m.recordFailure(e, j, err, patience.time())
		}
	}
	if ctx.Err() != nil {
		return // closed or released
	}
	if err == nil {
		err = m.adoptCert(e, w, j)
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
	m.wakeMaintain()
	m.cfg.Changed(e.name)
}

// obtainCert requests a certificate for the journal's key and stores it.
func (m *Manager) obtainCert(ctx context.Context, j *journal) error {
	current, err := m.currentLeaf(j.Name)
	if err != nil {
		return err
	}
	if current != nil && j.Key != "" && madeWith(current, j) {
		return nil // stored, but the process ended or the disk was full before the journal was closed
	}
	key, err := j.privateKey()
	if err != nil {
		return err
	}
	csr, err := acmez.NewCSR(key, []string{j.Name})
	if err != nil {
		return fmt.Errorf("request a certificate for %s: %w", j.Name, err)
	}
	chain, err := m.orderChain(ctx, j, csr, current)
	if err != nil {
		return err
	}
	if ctx.Err() != nil { // the name was released, or a certificate was imported
		return ctx.Err()
	}
	return m.issued.writeCert(j.Name, chain, []byte(j.Key))
}

// adoptCert serves the stored certificate in place of the one before, and closes the journal.
func (m *Manager) adoptCert(e *certState, w *work, j *journal) error {
	cert, err := m.issued.readCert(e.name)
	if err != nil {
		return fmt.Errorf("use the new certificate: %w", err)
	}
	m.mu.Lock()
	if e.work != w {
		m.mu.Unlock()
		return nil
	}
	before := *e
	e.imported = false
	e.setCertificate(cert.Leaf)
	e.nextARICheck = time.Now()
	m.countEarlyRenewal(e, before, e.nextARICheck)
	if before.leaf != e.leaf {
		m.dropFromMemory(before.leaf)
	}
	m.mu.Unlock()
	m.keepInMemory(e, cert)
	if before.imported {
		err = m.imported.removeCert(e.name)
	}
	m.cfg.Log.Info("certificate issued", "domain", e.name, "until", cert.Leaf.NotAfter, "issuer", cert.Leaf.Issuer.CommonName)
	return errors.Join(err, j.removeFile())
}

// recordFailure records a failure and the time of the next attempt durably: a CA counts failures across
// our restarts.
func (m *Manager) recordFailure(e *certState, j *journal, cause error, patience time.Time) error {
	j.Failures++
	now := time.Now()
	j.RetryAt = now.Add(m.backoffAfter(j.Failures))
	if latest := now.Add(longestPatience); patience.After(latest) {
		patience = latest
	}
	if patience.After(j.RetryAt) {
		j.RetryAt = patience
	}
	j.Problem = explainFailure(e.name, cause, j.RetryAt)
	m.cfg.Log.Warn("no certificate yet", "domain", e.name, "attempt", j.Failures, "retryAt", j.RetryAt, "error", cause)
	m.mu.Lock()
	e.retryAt, e.problem = j.RetryAt, j.Problem
	m.mu.Unlock()
	if err := j.saveFile(); err != nil {
		return err
	}
	return errors.New(j.Problem)
}

// longestPatience limits the Retry-After of a CA. Let's Encrypt counts by the week at most. A
// longer one is a mistake, or one of the two clocks is wrong, and the name would never have a
// certificate.
const longestPatience = 7 * 24 * time.Hour

// longestRetry is the longest wait between two attempts that Anchor itself sets.
const longestRetry = 12 * time.Hour

func (m *Manager) backoffAfter(failures int) time.Duration {
	wait := longestRetry
	if failures < 16 {
		wait = min(wait, m.cfg.FirstRetry<<(failures-1))
	}
	return wait - time.Duration(float64(wait)/10*randomFloat())
}

package acme

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"math/rand/v2"
	"time"

	acmeproto "github.com/mholt/acmez/v3/acme"
)

const (
	// ariInterval is how often the CA is asked for its renewal window when it does not set the
	// interval (RFC 9773, section 4.3).
	ariInterval = 6 * time.Hour
	// ariLongest is the longest interval that a CA may set (RFC 9773, section 4.3.2).
	ariLongest = 24 * time.Hour
	// longestSleep bounds the effect of a step of the system's clock.
	longestSleep = 10 * time.Minute
	// ariBatch is how many names are asked for in one round.
	ariBatch = 50
)

func randomFloat() float64 { return rand.Float64() }

func spreadOver(from time.Time, over time.Duration) time.Time {
	return from.Add(time.Duration(randomFloat() * float64(over)))
}

// maintainCerts starts due renewals and retries until the Manager is closed.
func (m *Manager) maintainCerts() {
	for {
		next := m.startDue(time.Now())
		m.refreshRenewalInfo(m.ctx)
		timer := time.NewTimer(max(time.Until(next), 0))
		select {
		case <-timer.C:
		case <-m.wake:
		case <-m.ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// wakeMaintain makes maintain look again.
func (m *Manager) wakeMaintain() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// startDue starts due work and returns when to look again.
func (m *Manager) startDue(now time.Time) time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	next := now.Add(longestSleep)
	for _, e := range m.names {
		if e.dueAt(now) {
			m.start(e)
			continue
		}
		if at, ok := e.wakeAt(); ok && at.Before(next) {
			next = at
		}
		if m.needsRenewalInfo(e) && e.nextARICheck.Before(next) {
			next = e.nextARICheck
		}
	}
	return next
}

func (m *Manager) needsRenewalInfo(e *certState) bool {
	return !e.imported && !e.notAfter.IsZero() && !e.nextARICheck.IsZero()
}

// renewRevoked renews an issued certificate that its CA has revoked. An imported certificate is left to
// its owner.
func (m *Manager) renewRevoked(name string, leaf fingerprint) {
	now := time.Now()
	m.mu.Lock()
	if e := m.names[name]; e != nil && !e.imported && e.leaf == leaf && now.Before(e.renewAt) {
		e.renewAt = now
	}
	m.mu.Unlock()
	m.wakeMaintain()
}

// refreshRenewalInfo asks the CA for the renewal windows (ARI, RFC 9773) that are due. A window can
// only bring a renewal forward: two thirds of life stay the latest time, so a wrong answer of the
// CA delays nothing.
func (m *Manager) refreshRenewalInfo(ctx context.Context) {
	now := time.Now()
	m.mu.Lock()
	var due []string
	for name, e := range m.names {
		if m.needsRenewalInfo(e) && !now.Before(e.nextARICheck) {
			e.nextARICheck = now.Add(ariInterval)
			if due = append(due, name); len(due) == ariBatch {
				break
			}
		}
	}
	m.mu.Unlock()
	if len(due) == 0 {
		return
	}
	m.group.Go(func() {
		for _, name := range due {
			m.askRenewalInfo(ctx, name)
		}
		m.wakeMaintain()
	})
}

func (m *Manager) askRenewalInfo(ctx context.Context, name string) {
	leaf, err := m.currentLeaf(name)
	if err != nil || leaf == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	info, err := m.cas[0].client.GetRenewalInfo(ctx, leaf)
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.names[name]
	if e == nil || !e.notAfter.Equal(leaf.NotAfter) {
		return
	}
	if errors.Is(err, acmeproto.ErrUnsupported) {
		e.nextARICheck = time.Time{}
		return
	}
	if err != nil {
		return // asked again after ariInterval
	}
	if info.RetryAfter != nil {
		e.nextARICheck = m.nextCheck(*info.RetryAfter, time.Now())
	}
	if info.SelectedTime.Before(e.renewAt) {
		e.renewAt = info.SelectedTime
	}
}

// nextCheck limits the time at which a CA wants to be asked again to a sensible range, as RFC 9773,
// section 4.3.2, advises.
func (m *Manager) nextCheck(told, now time.Time) time.Time {
	if soonest := now.Add(m.cfg.FirstRetry); told.Before(soonest) {
		return soonest
	}
	if latest := now.Add(ariLongest); told.After(latest) {
		return latest
	}
	return told
}

// countEarlyRenewal counts consecutive renewals that came before their time, and those whose
// certificate is due again the moment it arrives. A CA that always wants a new one, or a clock that
// is ahead of the CA's, must not lead to an order every second: each waits longer than the one
// before. The parameter before is the certificate's state before it is replaced.
func (m *Manager) countEarlyRenewal(e *certState, before certState, now time.Time) {
	early := !before.imported && !before.notAfter.IsZero() && now.Before(renewalTime(before.name, before.notBefore, before.notAfter))
	if !early && now.Before(e.renewAt) {
		e.earlyRenewals = 0
		return
	}
	e.earlyRenewals = before.earlyRenewals + 1
	e.retryAt = now.Add(m.backoffAfter(e.earlyRenewals))
}

// madeWith reports whether a certificate is for the key of the journal.
func madeWith(leaf *x509.Certificate, j *journal) bool {
	key, err := parseKey([]byte(j.Key))
	if err != nil {
		return false
	}
	public, ok := key.Public().(*ecdsa.PublicKey)
	return ok && public.Equal(leaf.PublicKey)
}

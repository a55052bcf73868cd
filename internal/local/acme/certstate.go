package acme

import (
	"context"
	"crypto/x509"
	"hash/fnv"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// certState is what is known about an attached name. Manager.mu guards it. It is small: there may
// be ten thousand.
type certState struct {
	name     string
	imported bool        // the certificate was imported
	leaf     fingerprint // of the certificate to serve; zero without one

	notBefore, notAfter time.Time // zero without a certificate
	renewAt             time.Time
	nextARICheck        time.Time // when the CA is next asked for its renewal window

	earlyRenewals int // consecutive renewals before their time
	retryAt       time.Time
	problem       string

	work *work // the order under way, or nil
}

// work is one run of an order in the background.
type work struct {
	cancel context.CancelFunc
	done   chan struct{}
}

func (e *certState) validAt(now time.Time) bool { return now.Before(e.notAfter) }

// setCertificate records the certificate to serve. It clears earlier failures.
func (e *certState) setCertificate(leaf *x509.Certificate) {
	e.leaf, e.notBefore, e.notAfter = fingerprintOf(leaf), leaf.NotBefore, leaf.NotAfter
	e.renewAt = renewalTime(e.name, leaf.NotBefore, leaf.NotAfter)
	e.retryAt, e.problem = time.Time{}, ""
}

// renewalTime returns two thirds of the life of a certificate, or up to a thirtieth earlier: names
// that were attached together do not all renew in the same second, and each keeps its time across
// restarts.
func renewalTime(name string, from, to time.Time) time.Time {
	life := to.Sub(from)
	sum := fnv.New32a()
	_, _ = sum.Write([]byte(name))
	early := time.Duration(float64(life) / 30 * float64(sum.Sum32()) / (1 << 32))
	return from.Add(life*2/3 - early)
}

// dueAt reports whether work should start: none is under way, no failure has to be waited out, and a
// certificate is needed.
func (e *certState) dueAt(now time.Time) bool {
	if e.imported || e.work != nil || now.Before(e.retryAt) {
		return false
	}
	return e.notAfter.IsZero() || !now.Before(e.renewAt)
}

// wakeAt returns when due may become true next; ok is false when nothing is waited for.
func (e *certState) wakeAt() (time.Time, bool) {
	switch {
	case e.imported || e.work != nil || e.notAfter.IsZero() && e.retryAt.IsZero():
		return time.Time{}, false
	case e.retryAt.After(e.renewAt):
		return e.retryAt, true
	}
	return e.renewAt, true
}

func (e *certState) describeCert(project anchor.ProjectID, now time.Time) domains.Certificate {
	c := domains.Certificate{
		ARN:    "arn:anchor:local:" + string(project) + ":certificate:" + e.name,
		Status: anchor.CertPending, Problem: e.problem,
	}
	switch {
	case e.validAt(now):
		c.Status = anchor.CertIssued
	case !e.notAfter.IsZero():
		c.Status = anchor.CertExpired
	case e.problem != "":
		c.Status = anchor.CertFailed
	}
	if !e.notAfter.IsZero() {
		c.NotAfter = e.notAfter.UnixMilli()
	}
	return c
}

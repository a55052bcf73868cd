package domains

import (
	"context"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// advance takes the hostname through its steps: proof, DNS, certificate, edge. It leaves the
// state, the reason and the time of the next check in h. An error is about the record itself,
// and then nothing more may be written.
func (s *Service) advance(ctx context.Context, h *anchor.Hostname) error {
	var cert Certificate
	if s.Certificates.NeedsRecord() && h.Verified {
		if ok, err := s.order(ctx, h, &cert); !ok {
			return err
		}
	}
	d, ok := s.ask(ctx, h)
	if !ok {
		return nil
	}
	switch {
	case !h.Verified && !proved(*h, d):
		s.wait(h, proofProblem(*h, d))
		return nil
	case !h.Verified:
		h.Verified = true
		h.Problem, h.Attempts, h.NextCheck = "", 0, s.now().UnixMilli() // and on, without the challenge in the way
		return nil
	case s.Certificates.NeedsRecord():
	case !d.OK && h.Status != anchor.HostActive && !h.OwnCert: // one's own serves before the DNS leads here
		s.wait(h, dnsProblem(*h, d))
		return nil
	default:
		if ok, err := s.order(ctx, h, &cert); !ok {
			return err
		}
	}
	if !s.connect(ctx, h) {
		return nil
	}
	s.settle(h, d, cert)
	return nil
}

// ask diagnoses the DNS. A name that is served is not let down because its DNS
// cannot be asked just now.
func (s *Service) ask(ctx context.Context, h *anchor.Hostname) (Diagnosis, bool) {
	target, err := s.Front.Target(ctx, *h)
	if err != nil {
		s.setback(h, failure("What the DNS of "+h.Name+" has to say could not be found out", err))
		return Diagnosis{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, longestAsk)
	defer cancel()
	d, err := s.Resolver.Diagnose(ctx, s.need(*h, target))
	if err != nil {
		d = unanswered(*h, err)
	}
	return d, true
}

// order ensures the certificate. It writes first that the order begins, so that it notices a
// removal or a move of the name before it asks a CA for anything.
func (s *Service) order(ctx context.Context, h *anchor.Hostname, cert *Certificate) (ok bool, err error) {
	if h.OwnCert {
		*cert = ownCertificate(*h, s.now())
		h.CertificateStatus = cert.Status
		return true, nil
	}
	if !s.Certificates.NeedsRecord() && h.Status != anchor.HostActive && h.Status != anchor.HostIssuing {
		h.Status = anchor.HostIssuing
		stored, err := s.write(ctx, claim(*h, s.now()))
		if err != nil {
			return false, err
		}
		*h = stored
	}
	ctx, cancel := context.WithTimeout(ctx, longestOrder)
	defer cancel()
	got, err := s.Certificates.Ensure(ctx, *h)
	if err != nil {
		s.setback(h, failure("The certificate of "+h.Name+" could not be ordered", err))
		return false, nil
	}
	*cert = got
	h.CertificateARN, h.CertificateStatus = got.ARN, got.Status
	h.DNSValidation, h.NotAfter = got.Validation, got.NotAfter
	if expired(*h, s.now()) {
		h.CertificateStatus = anchor.CertExpired
	}
	return true, nil
}

func expired(h anchor.Hostname, now time.Time) bool {
	return h.NotAfter > 0 && h.NotAfter <= now.UnixMilli()
}

func ownCertificate(h anchor.Hostname, now time.Time) Certificate {
	cert := Certificate{ARN: h.CertificateARN, NotAfter: h.NotAfter, Status: anchor.CertIssued, Problem: ownCertProblem(h, now)}
	switch {
	case h.NotAfter == 0:
		cert.Status = anchor.CertFailed
	case expired(h, now):
		cert.Status = anchor.CertExpired
	}
	return cert
}

// connect makes the edge answer once there is a certificate to answer with.
func (s *Service) connect(ctx context.Context, h *anchor.Hostname) (ok bool) {
	if h.CertificateStatus != anchor.CertIssued {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, longestAttach)
	defer cancel()
	if err := s.Front.Attach(ctx, *h); err != nil {
		s.setback(h, failure(h.Name+" could not be attached to the edge", err))
		return false
	}
	h.CloudFrontStatus = anchor.EdgeDeployed
	return true
}

// settle sets the state of the hostname after all steps.
func (s *Service) settle(h *anchor.Hostname, d Diagnosis, cert Certificate) {
	wasActive := h.Status == anchor.HostActive
	switch {
	case h.CertificateStatus == anchor.CertFailed || h.CertificateStatus == anchor.CertExpired:
		h.Status = anchor.HostFailed
		s.later(h, cert, firstRefused, certProblem(*h, cert))
	case h.CertificateStatus == anchor.CertIssued && (d.OK || wasActive):
		h.Status = anchor.HostActive
		s.watch(h, d, cert)
	case !d.OK && !wasActive:
		h.Status = anchor.HostPending
		s.later(h, cert, firstDelay, dnsProblem(*h, d))
	default:
		h.Status = anchor.HostIssuing
		s.later(h, cert, firstPoll, cert.Problem)
	}
}

func certProblem(h anchor.Hostname, cert Certificate) string {
	switch {
	case cert.Problem != "":
		return cert.Problem
	case h.CertificateStatus == anchor.CertExpired:
		return "The certificate of " + h.Name + " expired on " + time.UnixMilli(h.NotAfter).UTC().Format(time.DateOnly) +
			". Anchor orders a new one; if this persists, run anchor domains check " + h.Name
	}
	return "The certificate authority refused a certificate for " + h.Name + " and gave no reason. Anchor will ask again; to see the state, run anchor domains check " + h.Name
}

// watch plans the next check of an active name: soon when something is wrong.
func (s *Service) watch(h *anchor.Hostname, d Diagnosis, cert Certificate) {
	switch {
	case !d.OK:
		s.later(h, cert, firstDelay, dnsProblem(*h, d))
	case cert.Problem != "" && !h.OwnCert:
		s.later(h, cert, firstRefused, cert.Problem)
	default:
		now := s.now()
		h.Problem, h.Attempts = cert.Problem, 0
		h.NextCheck = now.Add(watchDelay(*h, now)).UnixMilli()
	}
}

// wait is for the DNS to be set.
func (s *Service) wait(h *anchor.Hostname, problem string) {
	if h.Status != anchor.HostActive {
		h.Status = anchor.HostPending
	}
	s.later(h, Certificate{}, firstDelay, problem)
}

// setback is a step that could not be taken; where the hostname stands stays.
func (s *Service) setback(h *anchor.Hostname, problem string) {
	s.later(h, Certificate{}, firstDelay, problem)
}

// later plans another check, each after a longer delay, and never before the CA accepts another
// request.
func (s *Service) later(h *anchor.Hostname, cert Certificate, first time.Duration, problem string) {
	h.Problem = problem
	h.NextCheck = max(s.now().Add(delay(first, h.Attempts)).UnixMilli(), cert.RetryAt)
	h.Attempts++
}

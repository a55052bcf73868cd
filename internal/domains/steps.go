package domains

import (
	"context"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// takeSteps takes the hostname through its steps: proof, DNS, certificate, edge. It leaves the
// state, the reason and the time of the next check in h. An error is about the record itself,
// and then nothing more may be written.
func (s *Service) takeSteps(ctx context.Context, h *anchor.Hostname) error {
	var cert Certificate
	if s.Certificates.NeedsRecord() && h.Verified {
		if ok, err := s.ensureCertificate(ctx, h, &cert); !ok {
			return err
		}
	}
	d, ok := s.diagnose(ctx, h)
	if !ok {
		return nil
	}
	switch {
	case !h.Verified && !isProved(*h, d):
		s.waitForDNS(h, describeProofProblem(*h, d))
		return nil
	case !h.Verified:
		h.Verified = true
		h.Problem, h.Attempts, h.NextCheck = "", 0, s.now().UnixMilli() // and on, without the challenge in the way
		return nil
	case s.Certificates.NeedsRecord():
	case !d.OK && h.Status != anchor.HostActive && !h.OwnCert: // one's own serves before the DNS leads here
		s.waitForDNS(h, describeDNSProblem(*h, d))
		return nil
	default:
		if ok, err := s.ensureCertificate(ctx, h, &cert); !ok {
			return err
		}
	}
	if !s.attachToFront(ctx, h) {
		return nil
	}
	s.setOutcome(h, d, cert)
	return nil
}

// diagnose checks the DNS. A name that is served stays served when its DNS cannot be reached.
func (s *Service) diagnose(ctx context.Context, h *anchor.Hostname) (Diagnosis, bool) {
	target, err := s.Front.Target(ctx, *h)
	if err != nil {
		s.stepFailed(h, describeFailure("What the DNS of "+h.Name+" has to say could not be found out", err))
		return Diagnosis{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, longestAsk)
	defer cancel()
	d, err := s.Resolver.Diagnose(ctx, s.needOf(*h, target))
	if err != nil {
		d = unansweredDiagnosis(*h, err)
	}
	return d, true
}

// ensureCertificate orders the certificate unless it exists. It first records that the order begins,
// so that it notices a removal or a move of the name before it calls a CA.
func (s *Service) ensureCertificate(ctx context.Context, h *anchor.Hostname, cert *Certificate) (ok bool, err error) {
	if h.OwnCert {
		*cert = describeOwnCertificate(*h, s.now())
		h.CertificateStatus = cert.Status
		return true, nil
	}
	if !s.Certificates.NeedsRecord() && h.Status != anchor.HostActive && h.Status != anchor.HostIssuing {
		h.Status = anchor.HostIssuing
		stored, err := s.writeRecord(ctx, claimCheck(*h, s.now()))
		if err != nil {
			return false, err
		}
		*h = stored
	}
	ctx, cancel := context.WithTimeout(ctx, longestOrder)
	defer cancel()
	got, err := s.Certificates.Ensure(ctx, *h)
	if err != nil {
		s.stepFailed(h, describeFailure("The certificate of "+h.Name+" could not be ordered", err))
		return false, nil
	}
	*cert = got
	h.CertificateARN, h.CertificateStatus = got.ARN, got.Status
	h.DNSValidation, h.NotAfter = got.Validation, got.NotAfter
	if isExpired(*h, s.now()) {
		h.CertificateStatus = anchor.CertExpired
	}
	return true, nil
}

func isExpired(h anchor.Hostname, now time.Time) bool {
	return h.NotAfter > 0 && h.NotAfter <= now.UnixMilli()
}

func describeOwnCertificate(h anchor.Hostname, now time.Time) Certificate {
	cert := Certificate{ARN: h.CertificateARN, NotAfter: h.NotAfter, Status: anchor.CertIssued, Problem: describeOwnCertProblem(h, now)}
	switch {
	case h.NotAfter == 0:
		cert.Status = anchor.CertFailed
	case isExpired(h, now):
		cert.Status = anchor.CertExpired
	}
	return cert
}

// attachToFront makes the edge answer once there is a certificate to answer with.
func (s *Service) attachToFront(ctx context.Context, h *anchor.Hostname) (ok bool) {
	if h.CertificateStatus != anchor.CertIssued {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, longestAttach)
	defer cancel()
	if err := s.Front.Attach(ctx, *h); err != nil {
		s.stepFailed(h, describeFailure(h.Name+" could not be attached to the edge", err))
		return false
	}
	h.CloudFrontStatus = anchor.EdgeDeployed
	return true
}

// setOutcome sets the state of the hostname after all steps.
func (s *Service) setOutcome(h *anchor.Hostname, d Diagnosis, cert Certificate) {
	wasActive := h.Status == anchor.HostActive
	switch {
	case h.CertificateStatus == anchor.CertFailed || h.CertificateStatus == anchor.CertExpired:
		h.Status = anchor.HostFailed
		s.scheduleRetry(h, cert, firstRefused, describeCertProblem(*h, cert))
	case h.CertificateStatus == anchor.CertIssued && (d.OK || wasActive):
		h.Status = anchor.HostActive
		s.scheduleWatch(h, d, cert)
	case !d.OK && !wasActive:
		h.Status = anchor.HostPending
		s.scheduleRetry(h, cert, firstDelay, describeDNSProblem(*h, d))
	default:
		h.Status = anchor.HostIssuing
		s.scheduleRetry(h, cert, firstPoll, cert.Problem)
	}
}

func describeCertProblem(h anchor.Hostname, cert Certificate) string {
	switch {
	case cert.Problem != "":
		return cert.Problem
	case h.CertificateStatus == anchor.CertExpired:
		return "The certificate of " + h.Name + " expired on " + time.UnixMilli(h.NotAfter).UTC().Format(time.DateOnly) +
			". Anchor orders a new one; if this persists, run anchor domains check " + h.Name
	}
	return "The certificate authority refused a certificate for " + h.Name + " and gave no reason. Anchor will ask again; to see the state, run anchor domains check " + h.Name
}

// scheduleWatch plans the next check of an active name: soon when something is wrong.
func (s *Service) scheduleWatch(h *anchor.Hostname, d Diagnosis, cert Certificate) {
	switch {
	case !d.OK:
		s.scheduleRetry(h, cert, firstDelay, describeDNSProblem(*h, d))
	case cert.Problem != "" && !h.OwnCert:
		s.scheduleRetry(h, cert, firstRefused, cert.Problem)
	default:
		now := s.now()
		h.Problem, h.Attempts = cert.Problem, 0
		h.NextCheck = now.Add(nextWatchDelay(*h, now)).UnixMilli()
	}
}

// waitForDNS schedules the next check of a name whose DNS is not set yet.
func (s *Service) waitForDNS(h *anchor.Hostname, problem string) {
	if h.Status != anchor.HostActive {
		h.Status = anchor.HostPending
	}
	s.scheduleRetry(h, Certificate{}, firstDelay, problem)
}

// stepFailed records why a step failed and schedules the next check. The status stays.
func (s *Service) stepFailed(h *anchor.Hostname, problem string) {
	s.scheduleRetry(h, Certificate{}, firstDelay, problem)
}

// scheduleRetry plans another check, each after a longer delay, and never before the CA accepts another
// request.
func (s *Service) scheduleRetry(h *anchor.Hostname, cert Certificate, first time.Duration, problem string) {
	h.Problem = problem
	h.NextCheck = max(s.now().Add(retryDelay(first, h.Attempts)).UnixMilli(), cert.RetryAt)
	h.Attempts++
}

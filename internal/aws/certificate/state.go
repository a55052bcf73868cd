package certificate

import (
	"fmt"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// How long to wait before ACM is called again. An account may make twice as many requests a year
// as it may have certificates (ACM User Guide, "Quotas").
const (
	retryAfter     = time.Hour
	retryAfterHand = 24 * time.Hour // when AWS support has to act
)

// describeCert translates ACM's description into that of the use-case.
func describeCert(h anchor.Hostname, c *types.CertificateDetail) domains.Certificate {
	out := domains.Certificate{
		ARN: sdk.ToString(c.CertificateArn), Status: certStatus(c.Status), Validation: validationRecord(h, c),
	}
	if c.NotAfter != nil && out.Status != anchor.CertPending {
		out.NotAfter = c.NotAfter.UnixMilli()
	}
	switch out.Status {
	case anchor.CertIssued:
		out.Problem = renewalProblem(h, c, out.Validation)
	case anchor.CertFailed, anchor.CertExpired:
		reason := problemOf(h, c)
		out.Problem, out.RetryAt = reason.text, time.Now().Add(reason.wait).UnixMilli()
	}
	return out
}

func certStatus(s types.CertificateStatus) anchor.CertStatus {
	switch s {
	case types.CertificateStatusIssued:
		return anchor.CertIssued
	case types.CertificateStatusPendingValidation:
		return anchor.CertPending
	case types.CertificateStatusExpired:
		return anchor.CertExpired
	}
	return anchor.CertFailed // FAILED, VALIDATION_TIMED_OUT, REVOKED, INACTIVE
}

// validationRecord returns the record to set: one that ACM still waits for, else that of the hostname
// itself. It returns nil while ACM has not created it yet.
func validationRecord(h anchor.Hostname, c *types.CertificateDetail) (record *anchor.DNSRecord) {
	for _, v := range c.DomainValidationOptions {
		r := v.ResourceRecord
		if r == nil {
			continue
		}
		pending := v.ValidationStatus == types.DomainStatusPendingValidation
		if pending || record == nil || sdk.ToString(v.DomainName) == h.Name {
			record = &anchor.DNSRecord{Name: trimDot(r.Name), Type: string(r.Type), Value: trimDot(r.Value)}
		}
		if pending {
			break
		}
	}
	return record
}

func trimDot(s *string) string { return strings.TrimSuffix(sdk.ToString(s), ".") }

// renewalProblem returns why ACM cannot renew, or "". ACM renews without a request as long as
// the record of the validation stays.
func renewalProblem(h anchor.Hostname, c *types.CertificateDetail, v *anchor.DNSRecord) string {
	if c.RenewalSummary == nil {
		return ""
	}
	switch c.RenewalSummary.RenewalStatus {
	case types.RenewalStatusPendingValidation, types.RenewalStatusFailed:
		text := "ACM cannot renew the certificate of " + h.Name
		if c.NotAfter != nil {
			text += ", which ends on " + c.NotAfter.UTC().Format(time.DateOnly)
		}
		if v == nil {
			return text + ". Look at it in the ACM console, in us-east-1."
		}
		return fmt.Sprintf("%s. Set the record %s %s %s again and leave it there.", text, v.Name, v.Type, v.Value)
	}
	return ""
}

// reason says why a certificate failed and what to do about it.
type reason struct {
	text string
	wait time.Duration
}

// problemOf translates ACM's failure reasons (ACM User Guide, "Troubleshoot failed certificate
// requests").
func problemOf(h anchor.Hostname, c *types.CertificateDetail) reason {
	switch c.Status {
	case types.CertificateStatusValidationTimedOut:
		return reason{"ACM gave up on " + h.Name + " because its validation record was not in the DNS for 72 hours. " +
			"Anchor makes a new request; set the record that it shows.", 0}
	case types.CertificateStatusRevoked:
		return reason{"The certificate of " + h.Name + " was revoked (" + string(c.RevocationReason) + "). Anchor requests a new one.", 0}
	case types.CertificateStatusExpired:
		return reason{"The certificate of " + h.Name + " expired. Anchor requests a new one; keep its validation record in the DNS.", 0}
	}
	again := " Anchor will try again."
	switch c.FailureReason {
	case types.FailureReasonCaaError:
		return reason{"A CAA record at " + h.Name + " or above forbids Amazon to issue. Add one with the value 0 issue \"amazon.com\", " +
			"or remove those that are there." + again, retryAfter}
	case types.FailureReasonDomainNotAllowed:
		return reason{"ACM refuses " + h.Name + " because it is on a list of unsafe domains. If it is on none any more " +
			"(check at VirusTotal and Google Safe Browsing), ask AWS Support.", retryAfterHand}
	case types.FailureReasonAdditionalVerificationRequired:
		return reason{"Amazon wants to know more before it issues for " + h.Name + ", as it does for well-known names. " +
			"Ask AWS Support, or bring your own certificate: anchor domains add " + h.Name + " --cert FILE --key FILE", retryAfterHand}
	case types.FailureReasonInvalidPublicDomain:
		return reason{h.Name + " cannot have a public certificate: its last label is not a public domain, or the name is misspelled. Remove it and add the right one.", retryAfterHand}
	case types.FailureReasonDomainValidationDenied:
		return reason{"The validation of " + h.Name + " was denied. Remove it and add it again if that was not meant.", retryAfterHand}
	}
	return reason{"ACM could not issue a certificate for " + h.Name + " (" + string(c.Status) + ", " + string(c.FailureReason) + ")." + again, retryAfter}
}

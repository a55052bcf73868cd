package certificate_test

import (
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/certificate"
)

func TestState_EveryFailureHasMessage(t *testing.T) {
	for _, test := range []struct {
		status types.CertificateStatus
		reason types.FailureReason
		says   string
		byHand bool
	}{
		{types.CertificateStatusFailed, types.FailureReasonCaaError, `0 issue "amazon.com"`, false},
		{types.CertificateStatusFailed, types.FailureReasonDomainNotAllowed, "Safe Browsing", true},
		{types.CertificateStatusFailed, types.FailureReasonAdditionalVerificationRequired, "AWS Support", true},
		{types.CertificateStatusFailed, types.FailureReasonInvalidPublicDomain, "misspelled", true},
		{types.CertificateStatusFailed, types.FailureReasonDomainValidationDenied, "denied", true},
		{types.CertificateStatusFailed, types.FailureReasonOther, "OTHER", false},
		{types.CertificateStatusFailed, types.FailureReasonPcaLimitExceeded, "PCA_LIMIT_EXCEEDED", false},
		{types.CertificateStatusValidationTimedOut, "", "72 hours", false},
		{types.CertificateStatusRevoked, "", "revoked", false},
		{types.CertificateStatusExpired, "", "expired", false},
	} {
		t.Run(string(test.status)+string(test.reason), func(t *testing.T) {
			c := certificate.Describe(anchor.Hostname{Name: "www.example.com"}, &types.CertificateDetail{Status: test.status, FailureReason: test.reason})
			if !strings.Contains(c.Problem, "www.example.com") || !strings.Contains(c.Problem, test.says) {
				t.Errorf("it says %q", c.Problem)
			}
			if c.Status != anchor.CertFailed && c.Status != anchor.CertExpired {
				t.Errorf("its status is %s", c.Status)
			}
			if late := time.UnixMilli(c.RetryAt).After(time.Now().Add(12 * time.Hour)); late != test.byHand {
				t.Errorf("it is tried again at %s", time.UnixMilli(c.RetryAt))
			}
		})
	}
}

func TestState_ReportsRenewalWaitingForRecord(t *testing.T) {
	detail := &types.CertificateDetail{
		Status: types.CertificateStatusIssued, NotAfter: sdk.Time(time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC)),
		RenewalSummary: &types.RenewalSummary{RenewalStatus: types.RenewalStatusPendingValidation},
		DomainValidationOptions: []types.DomainValidation{{DomainName: sdk.String("www.example.com"), ResourceRecord: &types.ResourceRecord{
			Name: sdk.String("_x.www.example.com."), Type: types.RecordTypeCname, Value: sdk.String("_y.acm-validations.aws."),
		}}},
	}
	c := certificate.Describe(anchor.Hostname{Name: "www.example.com"}, detail)
	if c.Status != anchor.CertIssued || !strings.Contains(c.Problem, "2027-03-01") || !strings.Contains(c.Problem, "_x.www.example.com CNAME _y.acm-validations.aws ") {
		t.Errorf("it says %+v", c)
	}
	detail.RenewalSummary.RenewalStatus = types.RenewalStatusSuccess
	if c := certificate.Describe(anchor.Hostname{Name: "www.example.com"}, detail); c.Problem != "" {
		t.Errorf("of a renewed one it says %q", c.Problem)
	}
}

// TestEnsure_LongNameHasShorterFirst asserts that both names are validated, one after the other.
func TestEnsure_LongNameHasShorterFirst(t *testing.T) {
	long := strings.Repeat("a", 50) + "." + strings.Repeat("b", 20) + ".example.com"
	short := strings.Repeat("b", 20) + ".example.com"
	if got := certificate.Primary(long); got != short {
		t.Errorf("it is %s", got)
	}
	if got := certificate.Primary("*.example.com"); got != "*.example.com" {
		t.Errorf("of a short one it is %s", got)
	}
	s := newStand(t)
	s.add(s.shop, hostnameRequest(long))
	for range 3 {
		s.pass(time.Minute)
		s.setAll(long)
	}
	s.pass(time.Minute)
	h := s.must(long, anchor.HostActive)
	if got := sdk.ToString(s.certificates()[h.CertificateARN].DomainName); got != short {
		t.Errorf("its first name is %s", got)
	}
	s.wantServed(long)
}

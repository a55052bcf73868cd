package certificate_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/domains"
)

func TestEnsure_RecordComesLater(t *testing.T) {
	first := newStand(t)
	for _, late := range []int{3, 100} {
		t.Run(fmt.Sprint(late), func(t *testing.T) {
			s := first.fresh(t)
			s.glass.hide = late
			v := s.add(s.shop, domains.Request{Domain: "www.example.com"})
			if h := s.must("www.example.com", anchor.HostPending); h.CertificateARN == "" || len(v.Records) != map[int]int{3: 1, 100: 0}[late] {
				t.Errorf("it has the ARN %q and the records %+v", h.CertificateARN, v.Records)
			}
			s.glass.hide = 0
			s.pass(time.Minute)
			s.setAll("www.example.com")
			s.pass(time.Minute)
			s.must("www.example.com", anchor.HostActive)
			s.wantServed("www.example.com")
		})
	}
}

// TestEnsure_WaitsForUnseenRequest: for some seconds after RequestCertificate, the other calls do
// not know the certificate.
func TestEnsure_WaitsForUnseenRequest(t *testing.T) {
	s := newStand(t)
	unseen := awstest.Fault{Operation: "ACM.DescribeCertificate", Status: 400, Code: "ResourceNotFoundException"}
	s.cloud.Wire.Break(unseen)
	s.add(s.shop, domains.Request{Domain: "www.example.com"})
	s.cloud.Wire.Break(awstest.Fault{Operation: "ACM.ListTagsForCertificate", Status: 400, Code: "ResourceNotFoundException"})
	s.pass(time.Minute)
	s.cloud.Wire.Mend()
	s.pass(time.Minute)
	s.zone.set(*s.must("www.example.com", anchor.HostPending).DNSValidation)
	s.pass(time.Minute)
	s.wantServed("www.example.com")
	orders := 0
	for _, one := range s.glass.seen() {
		if one.operation == "ACM.RequestCertificate" {
			orders++
		}
	}
	if orders != 1 {
		t.Errorf("it is ordered %d times", orders)
	}
}

// TestEnsure_FindsLostARNByTag: a process ended after ACM accepted the request and before the
// record was written, so long ago that ACM has forgotten the idempotency token.
func TestEnsure_FindsLostARNByTag(t *testing.T) {
	s := newStand(t)
	s.add(s.shop, domains.Request{Domain: "www.example.com"})
	h := s.must("www.example.com", anchor.HostPending)
	arn := h.CertificateARN
	h.CertificateARN, h.DNSValidation = "", nil
	_, err := s.store.UpdateHostname(t.Context(), h)
	s.ok(err)
	s.pass(2 * time.Hour)
	if h := s.must("www.example.com", anchor.HostActive); h.CertificateARN != arn {
		t.Errorf("it has %s, not %s", h.CertificateARN, arn)
	}
	s.wantServed("www.example.com")
}

func TestEnsure_ReplacesFailedRequest(t *testing.T) {
	s := newStand(t)
	s.add(s.shop, domains.Request{Domain: "www.example.com"})
	first := s.must("www.example.com", anchor.HostPending).CertificateARN
	s.glass.alter = func(operation, body string) string {
		if operation != "ACM.DescribeCertificate" || !strings.Contains(body, first) {
			return body
		}
		body = strings.Replace(body, `"Status":"ISSUED"`, `"Status":"FAILED","FailureReason":"CAA_ERROR"`, 1)
		return strings.Replace(body, `"Status": "ISSUED"`, `"Status":"FAILED","FailureReason":"CAA_ERROR"`, 1)
	}
	s.pass(time.Minute)
	if h := s.must("www.example.com", anchor.HostFailed); !strings.Contains(h.Problem, "amazon.com") || h.NextCheck < s.clock.Add(30*time.Minute).UnixMilli() {
		t.Errorf("it failed as %+v", h)
	}
	s.glass.seen()
	s.pass(2 * time.Hour)
	h := s.must("www.example.com", anchor.HostActive)
	if h.CertificateARN == first || s.certificates()[first] != nil {
		t.Errorf("it still has %s", h.CertificateARN)
	}
	s.wantServed("www.example.com")
}

func TestRelease_ContinuesLater(t *testing.T) {
	first := newStand(t)
	for operation, code := range map[string]string{
		"ACM.DeleteCertificate":                        "ResourceInUseException",
		"CloudFront.DeleteDistributionTenant":          "ResourceNotDisabled",
		"CloudFront.UpdateDistributionTenant":          "PreconditionFailed",
		"CloudFront.UpdateDistribution":                "ServiceUnavailable",
		"CloudFront.ListDistributionTenants":           "Throttling",
		"CloudFront.GetDistributionTenant":             "AccessDenied",
		"CloudFront.ListDistributionsByConnectionMode": "AccessDenied",
	} {
		t.Run(operation, func(t *testing.T) {
			s := first.fresh(t)
			s.active(s.shop, "www.example.com")
			s.cloud.Wire.Break(awstest.Fault{Operation: operation, Status: 400, Code: code})
			s.ok(s.service(s.process()).Remove(t.Context(), s.shop.ID, "www.example.com"))
			if h := s.must("www.example.com", anchor.HostRemoving); h.Problem == "" {
				t.Error("it does not say what is in the way")
			}
			_, err := s.service(s.process()).Add(t.Context(), s.shop.ID, domains.Request{Domain: "www.example.com"})
			wantError(t, err, "domain_removing")
			s.cloud.Wire.Mend()
			s.pass(time.Minute)
			s.wantServed()
			if _, err := s.store.HostnameByName(t.Context(), "www.example.com"); err == nil {
				t.Error("its record is left")
			}
		})
	}
}

// TestDetach_WaitsForCloudFront: a tenant that was just disabled cannot be deleted.
func TestDetach_WaitsForCloudFront(t *testing.T) {
	s := newStand(t)
	h := s.active(s.shop, "www.example.com")
	s.glass.alter = func(operation, body string) string {
		if strings.HasSuffix(operation, ".UpdateDistributionTenant") {
			return strings.Replace(body, "<Status>Deployed</Status>", "<Status>InProgress</Status>", 1)
		}
		return body
	}
	wantError(t, s.process().Detach(t.Context(), h), "aws_settling", "www.example.com")
	if tenant := s.tenants()["www.example.com"]; sdk.ToBool(tenant.Enabled) {
		t.Error("it is still served")
	}
	s.glass.alter = nil
	for range 2 {
		s.ok(s.process().Detach(t.Context(), h))
	}
	if n := len(s.tenants()); n != 0 {
		t.Errorf("%d tenants are left", n)
	}
}

func TestAttach_WaitsForCloudFront(t *testing.T) {
	first := newStand(t)
	for says, change := range map[string][2]string{
		"still spreading":   {"<Status>Deployed</Status>", "<Status>InProgress</Status>"},
		"has not activated": {"<Status>active</Status>", "<Status>inactive</Status>"},
	} {
		t.Run(says, func(t *testing.T) {
			s := first.fresh(t)
			s.glass.alter = func(operation, body string) string {
				if strings.HasSuffix(operation, "DistributionTenant") {
					return strings.Replace(body, change[0], change[1], 1)
				}
				return body
			}
			s.add(s.shop, domains.Request{Domain: "www.example.com"})
			s.pass(time.Minute)
			if h := s.must("www.example.com", anchor.HostPending); !strings.Contains(h.Problem, says) || h.CloudFrontStatus != "" {
				t.Errorf("it stands at %+v", h)
			}
			s.glass.alter = nil
			s.pass(time.Minute)
			s.must("www.example.com", anchor.HostActive)
		})
	}
}

// TestAttach_ConcurrentWriter: another writer changes tenant or distribution between the read
// and the write.
func TestAttach_ConcurrentWriter(t *testing.T) {
	s := newStand(t)
	h := s.active(s.shop, "www.example.com")
	s.active(s.blog, "blog.example.com")
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront.UpdateDistributionTenant", Nth: 1, Do: func() {
		now, err := s.cf.GetDistributionTenant(t.Context(), &cloudfront.GetDistributionTenantInput{Identifier: s.tenants()["www.example.com"].Id})
		s.ok(err)
		c := now.DistributionTenant.Customizations
		c.GeoRestrictions = &types.GeoRestrictionCustomization{RestrictionType: types.GeoRestrictionTypeBlacklist, Locations: []string{"AQ"}}
		_, err = s.cf.UpdateDistributionTenant(t.Context(), &cloudfront.UpdateDistributionTenantInput{
			Id: now.DistributionTenant.Id, IfMatch: now.ETag, Customizations: c,
		})
		s.ok(err)
	}})
	h.ProjectID = s.blog.ID
	s.ok(s.process().Attach(t.Context(), h))
	tenants := s.tenants()
	got := tenants["www.example.com"]
	if *got.DistributionId != *tenants["blog.example.com"].DistributionId || got.Customizations.GeoRestrictions == nil {
		t.Errorf("one of the two writes is lost: %+v", got.Customizations)
	}

	s.cloud.Wire.Mend()
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront.UpdateDistributionTenant", Status: 412, Code: "PreconditionFailed"})
	h.ProjectID = s.shop.ID
	wantError(t, s.process().Attach(t.Context(), h), "aws_contended", "www.example.com")
}

func TestAttach_NameInUse(t *testing.T) {
	s := newStand(t)
	site, err := s.front.Find(t.Context(), s.blog)
	s.ok(err)
	s.aliases(site.Distribution, "www.example.com")
	s.add(s.shop, domains.Request{Domain: "www.example.com"})
	s.pass(time.Minute)
	h := s.must("www.example.com", anchor.HostPending)
	for _, part := range []string{site.Distribution, "list-domain-conflicts", "ListDomainConflicts"} {
		if !strings.Contains(h.Problem, part) {
			t.Errorf("the problem %q does not say %q", h.Problem, part)
		}
	}
	s.aliases(site.Distribution)
	s.pass(time.Minute)
	s.must("www.example.com", anchor.HostActive)
}

func (s *stand) aliases(distribution string, names ...string) {
	s.t.Helper()
	now, err := s.cf.GetDistributionConfig(s.t.Context(), &cloudfront.GetDistributionConfigInput{Id: sdk.String(distribution)})
	s.ok(err)
	now.DistributionConfig.Aliases = &types.Aliases{Quantity: sdk.Int32(int32(len(names))), Items: names}
	_, err = s.cf.UpdateDistribution(s.t.Context(), &cloudfront.UpdateDistributionInput{
		Id: sdk.String(distribution), IfMatch: now.ETag, DistributionConfig: now.DistributionConfig,
	})
	s.ok(err)
}

func TestErrors_ExplainRefusals(t *testing.T) {
	first := newStand(t)
	for _, test := range []struct {
		operation, code, want, says string
	}{
		{"ACM.RequestCertificate", "AccessDeniedException", "access_denied", "acm:RequestCertificate"},
		{"ACM.RequestCertificate", "LimitExceededException", "aws_quota", "Service Quotas"},
		{"ACM.RequestCertificate", "ThrottlingException", "aws_busy", "www.example.com"},
		{"ACM.RequestCertificate", "InvalidDomainValidationOptionsException", "aws_failed", "www.example.com"},
	} {
		t.Run(test.code, func(t *testing.T) {
			s := first.fresh(t)
			s.cloud.Wire.Break(awstest.Fault{Operation: test.operation, Status: 400, Code: test.code})
			h := anchor.Hostname{ID: anchor.HostnameID(anchor.NewID()), ProjectID: s.shop.ID, Name: "www.example.com"}
			_, err := s.process().Ensure(t.Context(), h)
			wantError(t, err, test.want, test.says)
		})
	}
	t.Run("without a deployment", func(t *testing.T) {
		s := first.fresh(t)
		p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "new"}
		s.ok(s.store.CreateProject(t.Context(), p))
		s.add(p, domains.Request{Domain: "www.example.com"})
		s.pass(time.Minute)
		if h := s.must("www.example.com", anchor.HostPending); !strings.Contains(h.Problem, "Deploy to the project") {
			t.Errorf("its problem is %q", h.Problem)
		}
	})
	t.Run("too many distributions", func(t *testing.T) {
		s := first.fresh(t)
		s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront.CreateDistributionWithTags", Status: 400, Code: "TooManyDistributions"})
		s.add(s.shop, domains.Request{Domain: "www.example.com"})
		s.pass(time.Minute)
		if h := s.must("www.example.com", anchor.HostPending); !strings.Contains(h.Problem, "Service Quotas") {
			t.Errorf("its problem is %q", h.Problem)
		}
	})
}

func TestDomains_WaitOutThrottling(t *testing.T) {
	s := newStand(t)
	for _, operation := range []string{"ACM.RequestCertificate", "CloudFront.CreateDistributionTenant", "CloudFront.CreateConnectionGroup"} {
		s.cloud.Wire.Break(awstest.Fault{Operation: operation, Nth: 1, Status: 429, Code: "ThrottlingException"})
	}
	s.active(s.shop, "www.example.com")
	s.wantServed("www.example.com")
}

// TestDomains_ConvergeAfterAnyBrokenCall ends a process or fails a call at each call of an attachment and of
// a removal. Other processes then continue.
func TestDomains_ConvergeAfterAnyBrokenCall(t *testing.T) {
	s := newStand(t)
	calls := s.cloud.Wire.Record()
	s.active(s.shop, "www.example.com")
	adding := operations(calls())
	s.active(s.shop, "other.example.com")
	calls = s.cloud.Wire.Record()
	s.ok(s.service(s.process()).Remove(t.Context(), s.shop.ID, "www.example.com"))
	removing := operations(calls())
	for i := range adding {
		for _, how := range waysToBreak(adding[i]) {
			t.Run(fmt.Sprintf("add/%s/%d/%s", adding[i], nth(adding, i), how), func(t *testing.T) {
				s := s.fresh(t)
				ctx := s.breakAt(adding[i], nth(adding, i), how)
				_, _ = s.service(s.process()).Add(ctx, s.shop.ID, domains.Request{Domain: "www.example.com"})
				s.setAll("www.example.com")
				s.clock = s.clock.Add(time.Minute)
				s.service(s.process()).Reconcile(ctx)
				s.cloud.Wire.Mend()
				for range 3 {
					s.setAll("www.example.com")
					s.pass(5 * time.Minute)
				}
				s.must("www.example.com", anchor.HostActive)
				s.wantServed("www.example.com")
				if n := len(s.distributions()); n != 1 {
					t.Errorf("there are %d distributions", n)
				}
			})
		}
	}
	for i := range removing {
		for _, how := range waysToBreak(removing[i]) {
			t.Run(fmt.Sprintf("remove/%s/%d/%s", removing[i], nth(removing, i), how), func(t *testing.T) {
				s := s.fresh(t)
				s.active(s.shop, "www.example.com")
				other := s.active(s.shop, "other.example.com")
				ctx := s.breakAt(removing[i], nth(removing, i), how)
				_ = s.service(s.process()).Remove(ctx, s.shop.ID, "www.example.com")
				s.cloud.Wire.Mend()
				s.pass(5 * time.Minute)
				s.wantServed("other.example.com")
				if got := s.distributions()[0].ViewerCertificate; sdk.ToString(got.ACMCertificateArn) != other.CertificateARN || got.MinimumProtocolVersion != "TLSv1.2_2021" {
					t.Errorf("the distribution falls back on %+v", got)
				}
				s.ok(s.service(s.process()).Remove(t.Context(), s.shop.ID, "other.example.com"))
				s.ok(s.process().RemoveProject(t.Context(), s.shop))
				s.ok(s.process().Remove(t.Context()))
				s.wantNothing()
			})
		}
	}
}

// waysToBreak lists the faults of a call. For a read it does not matter whether it took effect.
func waysToBreak(operation string) []string {
	for _, verb := range []string{".Get", ".List", ".Describe"} {
		if strings.Contains(operation, verb) {
			return []string{"killed"}
		}
	}
	return []string{"refused", "lost", "killed"}
}

// TestMove_ConvergesAfterBrokenCall: from the first call to the last, one of the two projects serves the
// name.
func TestMove_ConvergesAfterBrokenCall(t *testing.T) {
	s := newStand(t)
	s.active(s.shop, "www.example.com")
	calls := s.cloud.Wire.Record()
	_, err := s.service(s.process()).Move(t.Context(), s.shop.ID, "www.example.com", s.blog.ID)
	s.ok(err)
	moving := operations(calls())
	for i := range moving {
		for _, how := range waysToBreak(moving[i]) {
			t.Run(fmt.Sprintf("%s/%d/%s", moving[i], nth(moving, i), how), func(t *testing.T) {
				s := s.fresh(t)
				s.blog = s.project("blog")
				s.active(s.shop, "www.example.com")
				from := *s.tenants()["www.example.com"].DistributionId
				_, _ = s.service(s.process()).Move(s.breakAt(moving[i], nth(moving, i), how), s.shop.ID, "www.example.com", s.blog.ID)
				s.wantServed("www.example.com")
				s.cloud.Wire.Mend()
				s.pass(5 * time.Minute)
				s.wantServed("www.example.com")
				h := s.must("www.example.com", anchor.HostActive)
				if now := *s.tenants()["www.example.com"].DistributionId; now == from || h.ProjectID != s.blog.ID || h.Problem != "" {
					t.Errorf("it is at %s, as %+v", now, h)
				}
			})
		}
	}
}

func operations(calls []awstest.Call) (names []string) {
	for _, c := range calls {
		names = append(names, c.Operation)
	}
	return names
}

// nth counts the calls of the same operation up to the i-th.
func nth(operations []string, i int) (n int) {
	for _, before := range operations[:i+1] {
		if before == operations[i] {
			n++
		}
	}
	return n
}

func (s *stand) breakAt(operation string, nth int, how string) context.Context {
	ctx, cancel := context.WithCancel(s.t.Context())
	s.t.Cleanup(cancel)
	fault := awstest.Fault{Operation: operation, Nth: nth, Status: 400, Code: "Broken"}
	switch how {
	case "lost":
		fault.After = true
	case "killed":
		fault.After, fault.Do = true, cancel
	}
	s.cloud.Wire.Break(fault)
	return ctx
}

// setAll sets the records of the name that are known so far.
func (s *stand) setAll(name string) {
	h, err := s.store.HostnameByName(s.t.Context(), name)
	if err != nil {
		return
	}
	if h.DNSValidation != nil {
		s.zone.set(*h.DNSValidation)
	}
	if target, err := s.process().Target(s.t.Context(), h); err == nil {
		s.zone.set(target...)
	}
}

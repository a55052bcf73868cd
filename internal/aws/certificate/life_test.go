package certificate_test

import (
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
)

func TestDomains_WholeLife(t *testing.T) {
	s := newStand(t)
	v, err := s.service(s.process()).Add(t.Context(), s.shop.ID, domains.Request{Domain: "www.example.com"})
	s.ok(err)
	if v.Status != anchor.HostPending || v.CertificateStatus != anchor.CertPending || len(v.Records) != 1 ||
		v.Records[0].Type != "CNAME" || strings.HasSuffix(v.Records[0].Value, ".") {
		t.Fatalf("added %+v", v)
	}
	if len(v.Target) != 1 || v.Target[0].Type != "CNAME" || !strings.Contains(v.Target[0].Value, ".cloudfront.") {
		t.Fatalf("it is to lead to %+v", v.Target)
	}
	s.pass(time.Minute)
	if n := len(s.tenants()); n != 0 {
		t.Errorf("%d names are attached without a certificate", n)
	}

	s.zone.set(v.Records...)
	s.pass(time.Minute)
	if h := s.must("www.example.com", anchor.HostPending); h.CertificateStatus != anchor.CertIssued || h.CloudFrontStatus != anchor.EdgeDeployed {
		t.Errorf("before it leads here it stands at %+v", h)
	}
	s.zone.set(v.Target...)
	s.pass(time.Minute)
	if h := s.must("www.example.com", anchor.HostActive); h.NotAfter == 0 || h.Problem != "" {
		t.Errorf("it is active as %+v", h)
	}
	s.wantServed("www.example.com")

	s.active(s.shop, "two.example.com")
	s.active(s.blog, "three.example.com")
	s.active(s.shop, "*.example.net")
	s.wantServed("www.example.com", "two.example.com", "three.example.com", "*.example.net")

	s.ok(s.service(s.process()).Remove(t.Context(), s.shop.ID, "www.example.com"))
	s.wantServed("two.example.com", "three.example.com", "*.example.net")
	for p, names := range map[anchor.ProjectID][]string{s.shop.ID: {"two.example.com", "*.example.net"}, s.blog.ID: {"three.example.com"}} {
		for _, name := range names {
			s.ok(s.service(s.process()).Remove(t.Context(), p, name))
		}
	}
	s.wantServed()
	d := s.process()
	for range 2 {
		s.ok(d.RemoveProject(t.Context(), s.shop))
		s.ok(d.RemoveProject(t.Context(), s.blog))
		s.ok(d.Remove(t.Context()))
	}
	s.wantNothing()
	s.ok(s.front.RemoveProject(t.Context(), s.shop))
}

func TestMove_IsOneUpdate(t *testing.T) {
	s := newStand(t)
	h := s.active(s.shop, "www.example.com")
	if got := s.tags(h); got != "Installation=anchor ManagedBy=anchor-deploy Project=shop" {
		t.Errorf("its certificate has the tags %s", got)
	}
	s.active(s.blog, "blog.example.com")
	before := s.tenants()["www.example.com"]
	s.glass.seen()
	v, err := s.service(s.process()).Move(t.Context(), s.shop.ID, "www.example.com", s.blog.ID)
	s.ok(err)
	if v.Problem != "" || v.Target[0].Value == "" {
		t.Errorf("it is moved as %+v", v)
	}
	updates := 0
	for _, one := range s.glass.seen() {
		switch {
		case one.operation == "CloudFront.UpdateDistributionTenant":
			updates++
		case strings.Contains(one.operation, "Delete"), strings.Contains(one.operation, "Request"), strings.Contains(one.operation, ".Create"):
			t.Errorf("the move calls %s", one.operation)
		}
	}
	after, other := s.tenants()["www.example.com"], s.tenants()["blog.example.com"]
	if updates != 1 || *after.Id != *before.Id || *after.DistributionId != *other.DistributionId {
		t.Errorf("%d updates, before %+v, after %+v", updates, before, after)
	}
	if got := s.must("www.example.com", anchor.HostActive).CertificateARN; got != h.CertificateARN {
		t.Errorf("its certificate was %s and is %s", h.CertificateARN, got)
	}
	if got := s.tags(h); got != "Installation=anchor ManagedBy=anchor-deploy Project=blog" {
		t.Errorf("its certificate has the tags %s", got)
	}
	s.pass(13 * time.Hour)
	s.ok(s.service(s.process()).Remove(t.Context(), s.blog.ID, "www.example.com"))
	s.ok(s.process().RemoveProject(t.Context(), s.shop))
	s.wantServed("blog.example.com")
}

// TestMove_WaitsForOtherDistribution: until all of CloudFront knows that distribution, the
// project that had the name continues to serve it.
func TestMove_WaitsForOtherDistribution(t *testing.T) {
	s := newStand(t)
	s.active(s.shop, "www.example.com")
	before := s.tenants()["www.example.com"]
	s.glass.alter = func(operation, body string) string {
		if strings.HasSuffix(operation, ".GetDistribution") || strings.HasSuffix(operation, ".CreateDistributionWithTags") {
			return strings.Replace(body, "<Status>Deployed</Status>", "<Status>InProgress</Status>", 1)
		}
		return body
	}
	v, err := s.service(s.process()).Move(t.Context(), s.shop.ID, "www.example.com", s.blog.ID)
	s.ok(err)
	if !strings.Contains(v.Problem, "still spreading") || sdk.ToString(s.tenants()["www.example.com"].DistributionId) != *before.DistributionId {
		t.Errorf("it is moved as %+v", v)
	}
	s.glass.alter = nil
	s.pass(time.Minute)
	if h := s.must("www.example.com", anchor.HostActive); h.Problem != "" || sdk.ToString(s.tenants()["www.example.com"].DistributionId) == *before.DistributionId {
		t.Errorf("it did not move: %+v", h)
	}
}

func TestAttach_RedirectAndHSTS(t *testing.T) {
	s := newStand(t)
	s.active(s.shop, "example.com")
	s.add(s.shop, domains.Request{Domain: "www.example.com", Redirect: "example.com", HSTS: true})
	s.pass(time.Minute)
	s.must("www.example.com", anchor.HostActive)
	s.wantServed("example.com", "www.example.com")
	if s.parameters("www.example.com") != "hsts=on redirect=example.com" || s.parameters("example.com") != "hsts=- redirect=-" {
		t.Errorf("they have the parameters %q and %q", s.parameters("www.example.com"), s.parameters("example.com"))
	}
	if n := len(s.distributions()); n != 2 {
		t.Errorf("there are %d distributions", n)
	}
	serve, on := "", true
	_, err := s.service(s.process()).Set(t.Context(), s.shop.ID, "www.example.com", domains.Settings{Redirect: &serve, HSTS: &on})
	s.ok(err)
	tenants := s.tenants()
	if *tenants["www.example.com"].DistributionId != *tenants["example.com"].DistributionId || s.parameters("www.example.com") != "hsts=on redirect=-" {
		t.Errorf("it does not serve the site: %+v, %q", tenants["www.example.com"], s.parameters("www.example.com"))
	}
	s.ok(s.service(s.process()).Remove(t.Context(), s.shop.ID, "www.example.com"))
	s.ok(s.service(s.process()).Remove(t.Context(), s.shop.ID, "example.com"))
	s.ok(s.process().RemoveProject(t.Context(), s.shop))
	s.ok(s.process().Remove(t.Context()))
	s.wantNothing()
}

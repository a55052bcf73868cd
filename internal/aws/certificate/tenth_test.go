package certificate_test

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/certificate"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// distributionBody holds the tested fields of UpdateDistribution and CreateDistribution.
type distributionBody struct {
	Aliases        []string `xml:"Aliases>Items>CNAME"`
	PriceClass     string   `xml:"PriceClass"`
	IPV6           string   `xml:"IsIPV6Enabled"`
	ConnectionMode string   `xml:"ConnectionMode"`
	Certificate    struct {
		ARN     string `xml:"ACMCertificateArn"`
		Method  string `xml:"SSLSupportMethod"`
		Version string `xml:"MinimumProtocolVersion"`
		Default bool   `xml:"CloudFrontDefaultCertificate"`
	} `xml:"ViewerCertificate"`
}

// tenantBody holds the tested fields of UpdateDistributionTenant and CreateDistributionTenant.
type tenantBody struct {
	Domains []string `xml:"Domains>member>Domain"`
	ARN     string   `xml:"Customizations>Certificate>Arn"`
	Enabled bool     `xml:"Enabled"`
}

// TestEnsure_TenthNameLeavesOthers checks every change that is sent while names are added, and what
// is served after each.
func TestEnsure_TenthNameLeavesOthers(t *testing.T) {
	s := newStand(t)
	etags := map[string]string{}
	var names []string
	for i := range 10 {
		name := fmt.Sprintf("n%d.example.com", i)
		// A name whose DNS is never set delays no other.
		s.add(s.shop, domains.Request{Domain: fmt.Sprintf("broken%d.example.com", i)})
		s.unset(fmt.Sprintf("broken%d.example.com", i))
		s.glass.seen()
		s.active(s.shop, name)
		names = append(names, name)
		s.checkChanges(s.glass.seen(), name)
		tenants := s.tenants()
		if len(tenants) != len(names) {
			t.Errorf("%d names are attached after %d", len(tenants), len(names))
		}
		for _, n := range names {
			tenant := tenants[n]
			if before := etags[n]; before != "" && before != *tenant.ETag {
				t.Errorf("%s touched %s", name, n)
			}
			etags[n] = *tenant.ETag
			s.wantCovered(sdk.ToString(tenant.Customizations.Certificate.Arn), n)
		}
	}
	if n := len(s.distributions()); n != 1 {
		t.Errorf("there are %d distributions", n)
	}
	// The certificate that the distribution falls back on is removed: another tenant's replaces
	// it.
	s.glass.seen()
	s.ok(s.service(s.process()).Remove(t.Context(), s.shop.ID, names[0]))
	s.checkChanges(s.glass.seen(), names[0])
	for _, n := range names[1:] {
		if got := *s.tenants()[n].ETag; got != etags[n] {
			t.Errorf("the removal of %s touched %s", names[0], n)
		}
	}
}

func (s *stand) unset(name string) {
	s.zone.mu.Lock()
	defer s.zone.mu.Unlock()
	for key := range s.zone.records {
		if strings.Contains(key, name+" ") || strings.Contains(key, "."+name+" ") {
			delete(s.zone.records, key)
		}
	}
}

func (s *stand) wantCovered(arn, name string) {
	s.t.Helper()
	if c := s.certificates()[arn]; c == nil || c.Status != "ISSUED" || !slices.Contains(c.SubjectAlternativeNames, name) {
		s.t.Errorf("%s is served with %q: %+v", name, arn, c)
	}
}

// checkChanges fails the test on a change that could remove the certificate of a name.
func (s *stand) checkChanges(all []sent, name string) {
	s.t.Helper()
	certificates := s.certificates()
	for _, one := range all {
		switch operation := strings.TrimPrefix(one.operation, "CloudFront."); operation {
		case "UpdateDistribution", "CreateDistributionWithTags":
			var b struct {
				distributionBody
				Inner distributionBody `xml:"DistributionConfig"`
			}
			s.ok(xml.Unmarshal([]byte(one.body), &b))
			c := b.distributionBody
			if operation == "CreateDistributionWithTags" {
				c = b.Inner
			}
			if len(c.Aliases) > 0 || c.PriceClass != "" || c.IPV6 != "" || c.ConnectionMode != "tenant-only" {
				s.t.Errorf("%s sends %+v", operation, c)
			}
			if c.Certificate.Default || c.Certificate.Method != "sni-only" || c.Certificate.Version != "TLSv1.2_2021" || certificates[c.Certificate.ARN] == nil {
				s.t.Errorf("%s sends the certificate %+v", operation, c.Certificate)
			}
		case "UpdateDistributionTenant", "CreateDistributionTenant":
			var b tenantBody
			s.ok(xml.Unmarshal([]byte(one.body), &b))
			if b.Enabled && (len(b.Domains) != 1 || b.Domains[0] != name) {
				s.t.Errorf("%s for %s sends %+v", operation, name, b)
			}
			if b.Enabled {
				s.wantCovered(b.ARN, name)
			}
		}
	}
}

// TestEnsure_ActiveNameIsCheap: a reconciler checks each name twice a day, and an account may
// call ACM and CloudFront only a few times a second.
func TestEnsure_ActiveNameIsCheap(t *testing.T) {
	s := newStand(t)
	s.active(s.shop, "one.example.com")
	s.active(s.shop, "two.example.com")
	reconciler := s.service(s.process())
	s.clock = s.clock.Add(13 * time.Hour)
	reconciler.Reconcile(t.Context())
	calls := s.cloud.Wire.Record()
	s.clock = s.clock.Add(13 * time.Hour)
	reconciler.Reconcile(t.Context())
	all := operations(calls())
	for _, one := range all {
		for _, verb := range []string{".Create", ".Update", ".Delete", ".Request", ".Import"} {
			if strings.Contains(one, verb) {
				t.Errorf("it calls %s", one)
			}
		}
	}
	if len(all) != 2*3 {
		t.Errorf("two looks make the calls %v", all)
	}
}

// TestAttach_UpgradesFunction also finishes for a process that ended between the update and its
// publication.
func TestAttach_UpgradesFunction(t *testing.T) {
	s := newStand(t)
	s.active(s.shop, "www.example.com")
	name := sdk.String("anchor-domains")
	now, err := s.cf.DescribeFunction(t.Context(), &cloudfront.DescribeFunctionInput{Name: name, Stage: types.FunctionStageDevelopment})
	s.ok(err)
	_, err = s.cf.UpdateFunction(t.Context(), &cloudfront.UpdateFunctionInput{
		Name: name, IfMatch: now.ETag, FunctionCode: []byte("older"), FunctionConfig: now.FunctionSummary.FunctionConfig,
	})
	s.ok(err)
	now, err = s.cf.DescribeFunction(t.Context(), &cloudfront.DescribeFunctionInput{Name: name, Stage: types.FunctionStageDevelopment})
	s.ok(err)
	_, err = s.cf.PublishFunction(t.Context(), &cloudfront.PublishFunctionInput{Name: name, IfMatch: now.ETag})
	s.ok(err)
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront.PublishFunction", Nth: 1, Status: 400, Code: "Broken"})
	wantError(t, s.process().Follow(t.Context(), s.shop), "aws_failed", "cloudfront:PublishFunction")
	s.ok(s.process().Follow(t.Context(), s.shop))
	live, err := s.cf.GetFunction(t.Context(), &cloudfront.GetFunctionInput{Name: name, Stage: types.FunctionStageLive})
	s.ok(err)
	if string(live.FunctionCode) != string(certificate.Source) {
		t.Errorf("what runs is %q", live.FunctionCode)
	}
}

// TestAttach_RecreatesDeletedDistribution includes a process that had cached it.
func TestAttach_RecreatesDeletedDistribution(t *testing.T) {
	s := newStand(t)
	d := s.process()
	h := s.active(s.shop, "www.example.com")
	s.ok(d.Attach(t.Context(), h))
	s.ok(s.process().Detach(t.Context(), h))
	s.ok(s.process().RemoveProject(t.Context(), s.shop))
	s.ok(d.Attach(t.Context(), h))
	s.wantServed("www.example.com")
}

func TestDomains_FollowAndPurge(t *testing.T) {
	s := newStand(t)
	d := s.process()
	live := anchor.Live{ProjectID: s.shop.ID, Release: anchor.ReleaseID(anchor.NewID())}
	s.ok(d.Follow(t.Context(), s.shop))
	s.ok(d.Purge(t.Context(), s.shop, live))
	if n := len(s.distributions()); n != 0 {
		t.Errorf("without a domain there are %d distributions", n)
	}
	s.active(s.shop, "www.example.com")
	s.glass.seen()
	s.ok(s.process().Follow(t.Context(), s.shop))
	for _, one := range s.glass.seen() {
		if strings.Contains(one.operation, ".Update") {
			t.Errorf("with nothing new it calls %s", one.operation)
		}
	}
	_, err := s.front.Ensure(t.Context(), s.shop, map[string]string{"default": "other.lambda-url.on.aws"})
	s.ok(err)
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront.UpdateDistribution", Nth: 1, Status: 412, Code: "PreconditionFailed"})
	s.ok(d.Follow(t.Context(), s.shop))
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudFront.CreateInvalidation", Nth: 1, Status: 400, Code: "TooManyInvalidationsInProgress"})
	ours := s.distributions()[0]
	hosts := ""
	for _, o := range ours.Origins.Items {
		hosts += *o.DomainName + " "
	}
	if !strings.Contains(hosts, "other.lambda-url.on.aws") || strings.Contains(hosts, "live.lambda-url.on.aws") {
		t.Errorf("its origins are %s", hosts)
	}
	functions := map[types.EventType]string{}
	for _, a := range ours.DefaultCacheBehavior.FunctionAssociations.Items {
		functions[a.EventType] = *a.FunctionARN
	}
	if !strings.HasSuffix(functions["viewer-request"], "/anchor-shop") || !strings.HasSuffix(functions["viewer-response"], "/anchor-domains") {
		t.Errorf("its functions are %v", functions)
	}
	for range 2 {
		s.ok(d.Purge(t.Context(), s.shop, live))
	}
	out, err := s.cf.ListInvalidations(t.Context(), &cloudfront.ListInvalidationsInput{DistributionId: ours.Id})
	s.ok(err)
	if len(out.InvalidationList.Items) == 0 {
		t.Error("nothing is invalidated")
	}
	err = d.RemoveProject(t.Context(), s.shop)
	wantError(t, err, "domains_remain", "anchor domains rm")
}

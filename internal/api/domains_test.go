package api_test

import (
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/domains"
)

// inShop serves an Anchor that has the projects shop and blog.
func inShop(t *testing.T) (*apitest.Anchor, string) {
	t.Helper()
	a := apitest.New(t, apitest.Options{})
	base := serve(t, a)
	for _, slug := range []string{"shop", "blog"} {
		call(t, base, "POST", "/projects", apitest.DeployToken, `{"slug":"`+slug+`"}`, nil).is(t, 201)
	}
	return a, base
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func addDomain(t *testing.T, base, project, body string) wire.Domain {
	t.Helper()
	got := call(t, base, "POST", "/projects/"+project+"/domains", apitest.DeployToken, body, nil)
	got.is(t, 201)
	var d wire.Domain
	got.decode(t, &d)
	return d
}

func TestAddDomain_ReturnsRecordsToSet(t *testing.T) {
	_, base := inShop(t)
	d := addDomain(t, base, "shop", `{"domain":"https://Shop.Example.com/cart","hsts":true}`)
	if d.Name != "shop.example.com" || d.Status != anchor.HostPending || !d.HSTS || d.IsActive {
		t.Errorf("added %+v", d)
	}
	if !strings.Contains(d.Note, "from the URL") {
		t.Errorf("the note on a pasted URL is %q", d.Note)
	}
	i := d.DNSInstructions
	if i == nil || i.RecordType != "A" || i.RecordName != "shop.example.com" || i.RecordValue != apitest.Address || i.Message == "" || i.Note == "" {
		t.Errorf("the instructions are %+v", i)
	}
	if d.Target == nil || d.Target.RecordValue != apitest.Address || len(d.Target.Records) != 2 {
		t.Errorf("the target is %+v", d.Target)
	}
}

func TestAddDomain_RefusesRedirectOutOfProject(t *testing.T) {
	_, base := inShop(t)
	addDomain(t, base, "shop", `{"domain":"example.com","www":true}`)
	d := addDomain(t, base, "shop", `{"domain":"old.example.com","redirectTo":"example.com"}`)
	if d.Redirect != "example.com" {
		t.Errorf("added %+v", d)
	}
	var www wire.Domain
	call(t, base, "GET", "/projects/shop/domains/www.example.com", apitest.ReadToken, "", nil).decode(t, &www)
	if www.Redirect != "example.com" {
		t.Errorf("the companion is %+v", www)
	}
	call(t, base, "POST", "/projects/shop/domains", apitest.DeployToken, `{"domain":"b.example.com","redirectTo":"other.example.com"}`, nil).
		isProblem(t, 400, "bad_redirect")
	call(t, base, "DELETE", "/projects/shop/domains/example.com", apitest.DeployToken, "", nil).isProblem(t, 409, "domain_redirected_to")
}

// The names of SPEC's members, as a client in another language sees them.
func TestGetDomain_ReturnsAllFields(t *testing.T) {
	_, base := inShop(t)
	got := call(t, base, "POST", "/projects/shop/domains", apitest.DeployToken, `{"domain":"shop.example.com"}`, nil)
	var doc map[string]any
	got.decode(t, &doc)
	for _, name := range []string{"domainId", "projectId", "domain", "status", "certificateArn", "certificateStatus", "cloudFrontStatus",
		"createdAt", "updatedAt", "dnsInstructions", "target", "isActive", "records"} {
		if _, ok := doc[name]; !ok {
			t.Errorf("the answer has no %s: %s", name, got.body)
		}
	}
	instructions, _ := doc["dnsInstructions"].(map[string]any)
	for _, name := range []string{"message", "recordType", "recordName", "recordValue", "note"} {
		if _, ok := instructions[name]; !ok {
			t.Errorf("dnsInstructions has no %s: %s", name, got.body)
		}
	}
	if _, ok := doc["cloudfrontCname"]; ok {
		t.Errorf("there is a cloudfrontCname on local: %s", got.body)
	}
}

func TestAddDomain_BelowOtherProjectRequiresProof(t *testing.T) {
	_, base := inShop(t)
	addDomain(t, base, "shop", `{"domain":"example.com"}`)
	d := addDomain(t, base, "blog", `{"domain":"blog.example.com"}`)
	i := d.DNSInstructions
	if d.Verified || i.RecordType != "TXT" || i.RecordName != "_anchor-challenge.blog.example.com" || len(d.Records) != 1 {
		t.Errorf("verified %v, the instructions are %+v of %v", d.Verified, i, d.Records)
	}
	if i.RecordValue != d.Records[0].Value {
		t.Errorf("the instructions and the records differ: %+v, %v", i, d.Records)
	}
}

func TestAddDomain_RefusesInvalidNames(t *testing.T) {
	_, base := inShop(t)
	addDomain(t, base, "shop", `{"domain":"shop.example.com"}`)
	post := func(project, body string) answer {
		return call(t, base, "POST", "/projects/"+project+"/domains", apitest.DeployToken, body, nil)
	}
	for _, name := range []string{"nonsense", "192.0.2.1", "[2001:db8::1]", "-a.example.com", "a..example.com", "co.uk",
		strings.Repeat("a.", 125) + "example.com"} {
		post("shop", `{"domain":"`+name+`"}`).isProblem(t, 400, "bad_domain")
	}
	post("shop", `{"domain":""}`).isProblem(t, 400, "bad_field")
	post("shop", `{"domain":"`+strings.Repeat("a", 3000)+`"}`).isProblem(t, 400, "bad_field")
	post("blog", `{"domain":"SHOP.example.com."}`).isProblem(t, 409, "domain_taken")
	half := post("shop", `{"domain":"own.example.com","privateKey":"-----BEGIN-- s3cret"}`)
	half.isProblem(t, 400, "half_certificate")
	if strings.Contains(half.body, "s3cret") {
		t.Errorf("the key was told back: %s", half.body)
	}
}

func TestGetDomain_ByIDAndName(t *testing.T) {
	a, base := inShop(t)
	d := addDomain(t, base, "shop", `{"domain":"*.bücher.example"}`)
	check(t, a.DNS(d.Name, domains.FindingWrong, "198.51.100.4"))
	for _, name := range []string{string(d.ID), "*.xn--bcher-kva.example", "%2A.b%C3%BCcher.example", "https:%2F%2F*.xn--bcher-kva.example%2Fx"} {
		var got wire.Domain
		call(t, base, "GET", "/projects/shop/domains/"+name, apitest.ReadToken, "", nil).decode(t, &got)
		if got.ID != d.ID || got.Diagnosis == nil || got.Diagnosis.OK || got.Diagnosis.Checks[0].State != domains.FindingWrong {
			t.Errorf("%s gave %+v", name, got)
		}
		call(t, base, "GET", "/projects/blog/domains/"+name, apitest.ReadToken, "", nil).isProblem(t, 404, "unknown_domain")
	}
	list := call(t, base, "GET", "/projects/shop/domains", apitest.ReadToken, "", nil)
	if !strings.Contains(list.body, string(d.ID)) || strings.Contains(list.body, `"diagnosis"`) {
		t.Errorf("the list is %s", list.body)
	}
}

func TestDomain_WholeLife(t *testing.T) {
	a, base := inShop(t)
	const one = "/domains/shop.example.com"
	addDomain(t, base, "shop", `{"domain":"shop.example.com"}`)
	check(t, a.DNS("shop.example.com", domains.FindingRight))
	check(t, a.Issue("shop.example.com"))
	var d wire.Domain
	call(t, base, "POST", "/projects/shop"+one+"/check", apitest.DeployToken, "", nil).decode(t, &d)
	if !d.IsActive || d.CheckedAt == 0 || !d.Diagnosis.OK || d.CertificateStatus != anchor.CertIssued {
		t.Errorf("the check gave %+v", d)
	}
	call(t, base, "POST", "/projects/shop"+one+"/move", apitest.AdminToken, `{"projectId":"nowhere"}`, nil).isProblem(t, 404, "unknown_project")
	call(t, base, "POST", "/projects/shop"+one+"/move", apitest.AdminToken, `{"projectId":"blog"}`, nil).is(t, 200)
	call(t, base, "DELETE", "/projects/shop"+one, apitest.DeployToken, "", nil).isProblem(t, 404, "unknown_domain")
	call(t, base, "DELETE", "/projects/blog"+one, apitest.DeployToken, "", nil).is(t, 204)
	call(t, base, "GET", "/projects/blog"+one, apitest.ReadToken, "", nil).isProblem(t, 404, "unknown_domain")
}

func TestDomains_RoutesAbsentWithoutService(t *testing.T) {
	services := apitest.New(t, apitest.Options{}).Services()
	services.Domains = nil
	base := apitest.Serve(t, services, api.Options{}, nil)
	call(t, base, "GET", "/projects/shop/domains", apitest.ReadToken, "", nil).isProblem(t, 404, "no_such_route")
}

func TestGetDomain_CloudFrontTargetHasBothNames(t *testing.T) {
	base := serve(t, apitest.New(t, apitest.Options{Distribution: "d111111abcdef8.cloudfront.net"}))
	call(t, base, "POST", "/projects", apitest.DeployToken, `{"slug":"shop"}`, nil).is(t, 201)
	d := addDomain(t, base, "shop", `{"domain":"www.example.com"}`)
	if d.CloudFrontCNAME == nil || d.CloudFrontCNAME.RecordValue != "d111111abcdef8.cloudfront.net" || *d.CloudFrontCNAME != d.Target.Instruction {
		t.Errorf("cloudfrontCname is %+v, target %+v", d.CloudFrontCNAME, d.Target)
	}
	if d.DNSInstructions.RecordName != "_x.www.example.com" {
		t.Errorf("what proves the name does not come first: %+v", d.DNSInstructions)
	}
}

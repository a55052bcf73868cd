package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// TestDomainsOnAWS follows a custom domain with the real CLI and handlers: the records to set, a
// certificate of ACM, a tenant at CloudFront, a change, the removal.
func TestDomainsOnAWS(t *testing.T) {
	t.Parallel()
	a := onAWS(t)
	a.deploy(platformtest.NewApp("one").Write(t), "shop")
	const name = "shop.example.com"

	var added struct {
		Records []struct{ Name, Type, Value string }
		Target  struct {
			Records []struct{ Name, Type, Value string }
		}
		CloudfrontCname struct{ RecordValue string }
	}
	if code, err := a.call(http.MethodPost, "/projects/shop/domains", map[string]string{"domain": name}, &added); code != 201 || err != nil {
		t.Fatal(code, err)
	}
	if len(added.Records) == 0 || added.Records[0].Type != "CNAME" || !strings.HasSuffix(added.Records[0].Name, name) {
		t.Errorf("the records to set are %+v", added)
	}
	if added.CloudfrontCname.RecordValue == "" || !slices.ContainsFunc(added.Target.Records, func(r struct{ Name, Type, Value string }) bool {
		return r.Type == "CNAME" && r.Value == added.CloudfrontCname.RecordValue
	}) {
		t.Errorf("the name is to lead to %+v, %+v", added.Target, added.CloudfrontCname)
	}

	a.reconciles(t, "it is served", func() bool { return a.tenants() == 1 })
	if _, errs, code := a.run("domains", "set", name, "--hsts", "--project", "shop"); code != 0 {
		t.Error(errs)
	}
	if out, errs, code := a.run("domains", "ls", "--project", "shop"); code != 0 || !strings.Contains(out, name) {
		t.Errorf("domains ls ended with %d: %s%s", code, out, errs)
	}
	if _, errs, code := a.run("domains", "rm", name, "--project", "shop", "--yes"); code != 0 {
		t.Error(errs)
	}
	a.reconciles(t, "nothing of it is left", func() bool {
		var certificates struct{ CertificateSummaryList []struct{ DomainName string } }
		a.aws(&certificates, "acm", "list-certificates", "--region", "us-east-1")
		code, _ := a.call(http.MethodGet, "/projects/shop/domains/"+name, nil, nil)
		return code == 404 && len(certificates.CertificateSummaryList) == 0 && a.tenants() == 0
	})
}

// reconciles runs the schedule of the domains until a condition holds.
func (a *account) reconciles(t *testing.T, what string, so func() bool) {
	t.Helper()
	eventually(t, what, func() bool {
		if _, err := a.handlers["anchor-domains"].invoke(t.Context(), []byte(`{"reconcile": true}`)); err != nil {
			t.Fatal(err)
		}
		return so()
	})
}

// tenants returns the number of distribution tenants.
func (a *account) tenants() int {
	var list struct{ DistributionTenantList []struct{ ID string } }
	a.aws(&list, "cloudfront", "list-distribution-tenants")
	return len(list.DistributionTenantList)
}

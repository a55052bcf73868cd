package certificate_test

import (
	"crypto/elliptic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/acm"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/certificate"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// TestOnMoto checks the use of ACM against a second emulator, which has no distribution tenants.
func TestOnMoto(t *testing.T) {
	cloud := awstest.Moto(t)
	store := memory.New()
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}
	if err := store.CreateProject(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	d := certificate.New(certificate.Config{
		ACM: acm.NewFromConfig(cloud.Config()), Installation: "anchor", Projects: store, Log: quiet,
	})
	d.Hurry()
	h := anchor.Hostname{ID: anchor.HostnameID(anchor.NewID()), ProjectID: p.ID, Name: "www.example.com", CertificateStatus: anchor.CertPending}

	// The first answer is lost and the SDK retries: with the token, one certificate results.
	cloud.Wire.Break(awstest.Fault{Operation: "ACM.RequestCertificate", Nth: 1, After: true})
	c, err := d.Ensure(t.Context(), h)
	if err != nil || c.Status != anchor.CertPending || c.Validation == nil || c.Validation.Type != "CNAME" {
		t.Fatalf("it returns %+v, %v", c, err)
	}
	if n := count(t, cloud); n != 1 {
		t.Errorf("there are %d certificates", n)
	}
	again, err := d.Ensure(t.Context(), h)
	if err != nil || again.ARN != c.ARN {
		t.Errorf("without its ARN in the record it returns %+v, %v", again, err)
	}
	h.CertificateARN, h.DNSValidation = c.ARN, c.Validation
	for deadline := time.Now().Add(time.Minute); c.Status != anchor.CertIssued; {
		if c, err = d.Ensure(t.Context(), h); err != nil || time.Now().After(deadline) {
			t.Fatalf("it stays at %+v, %v", c, err)
		}
		time.Sleep(50 * time.Millisecond)
	}
	if c.ARN != h.CertificateARN || c.NotAfter == 0 || c.Problem != "" {
		t.Errorf("it is issued as %+v", c)
	}

	own := anchor.Hostname{ID: anchor.HostnameID(anchor.NewID()), ProjectID: p.ID, Name: "own.example.com", OwnCert: true}
	ca, key := newIssuer(t), newKey(t, elliptic.P256())
	for i := range 2 {
		chain, private := ca.issue(key, time.Now().Add(time.Duration(10+i)*time.Hour), "own.example.com")
		c, err := d.Import(t.Context(), own, chain, private)
		if err != nil || own.CertificateARN != "" && own.CertificateARN != c.ARN {
			t.Fatalf("it returns %+v, %v", c, err)
		}
		own.CertificateARN = c.ARN
	}
	if n := count(t, cloud); n != 2 {
		t.Errorf("there are %d certificates", n)
	}
}

func count(t *testing.T, cloud *awstest.Cloud) int {
	t.Helper()
	client := acm.NewFromConfig(cloud.Config(), func(o *acm.Options) { o.Region = certificate.Region })
	out, err := client.ListCertificates(t.Context(), &acm.ListCertificatesInput{})
	if err != nil {
		t.Fatal(err)
	}
	return len(out.CertificateSummaryList)
}

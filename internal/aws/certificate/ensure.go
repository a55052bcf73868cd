package certificate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	acmtypes "github.com/aws/aws-sdk-go-v2/service/acm/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// Ensure implements domains.Certificates. It reports a failed request once, and the next Ensure
// after that makes a new request: ACM never continues a failed one.
func (d *Domains) Ensure(ctx context.Context, h anchor.Hostname) (domains.Certificate, error) {
	detail, waiting, err := d.current(ctx, h)
	switch {
	case err != nil:
		return domains.Certificate{}, explainFailure(err, h.Name)
	case waiting:
		return domains.Certificate{ARN: h.CertificateARN, Status: anchor.CertPending}, nil
	case detail != nil && (isAlive(detail) || !told(h, detail)):
		return describeCert(h, detail), nil
	}
	c, err := d.request(ctx, h)
	if err != nil {
		return domains.Certificate{}, explainFailure(err, h.Name)
	}
	if detail != nil {
		// It was never issued, so nothing uses it. If it cannot be deleted now, Release deletes
		// it.
		if err := d.deleteCertificate(ctx, sdk.ToString(detail.CertificateArn)); err != nil {
			d.Log.Warn("delete a failed certificate request", "domain", h.Name, "error", err)
		}
	}
	return c, nil
}

// isAlive reports whether a certificate is in use, or may still be issued.
func isAlive(c *acmtypes.CertificateDetail) bool {
	return c.Status == acmtypes.CertificateStatusIssued || c.Status == acmtypes.CertificateStatusPendingValidation
}

// told reports whether the record already says that this one failed.
func told(h anchor.Hostname, c *acmtypes.CertificateDetail) bool {
	return h.CertificateARN == sdk.ToString(c.CertificateArn) &&
		(h.CertificateStatus == anchor.CertFailed || h.CertificateStatus == anchor.CertExpired)
}

// longestUnseen is how many reads may fail to find a certificate that was just requested (API
// reference: "a delay of several seconds").
const longestUnseen = 20

// current returns the hostname's certificate, or nil when it has none: the one that the record
// names, unless that one is dead and there is a better one that the record missed. waiting
// reports that it was requested and cannot be seen yet.
func (d *Domains) current(ctx context.Context, h anchor.Hostname) (detail *acmtypes.CertificateDetail, waiting bool, err error) {
	if h.CertificateARN != "" {
		detail, err = d.see(ctx, h.CertificateARN)
		if err != nil || detail != nil && isAlive(detail) {
			return detail, false, err
		}
	}
	others, err := d.own(ctx, h, false)
	if err != nil {
		return nil, false, err
	}
	for _, arn := range others {
		other, err := d.see(ctx, arn)
		if err != nil {
			return nil, false, err
		}
		if other == nil || other.Type == acmtypes.CertificateTypeImported {
			continue
		}
		if detail == nil || !isAlive(detail) && (isAlive(other) || newer(other, detail)) {
			detail = other
		}
	}
	unseen := h.CertificateARN != "" && h.CertificateStatus == anchor.CertPending && h.DNSValidation == nil
	return detail, detail == nil && unseen && h.Attempts < longestUnseen, nil
}

func newer(a, b *acmtypes.CertificateDetail) bool {
	return sdk.ToTime(a.CreatedAt).After(sdk.ToTime(b.CreatedAt))
}

// see returns nil for a certificate that ACM does not know.
func (d *Domains) see(ctx context.Context, arn string) (*acmtypes.CertificateDetail, error) {
	out, err := d.ACM.DescribeCertificate(ctx, &acm.DescribeCertificateInput{CertificateArn: sdk.String(arn)})
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return out.Certificate, nil
}

// maxCertificates is how many certificates one ListCertificates returns (ACM API).
const maxCertificates = 1000

// own returns the ARNs of all certificates that were created for the hostname. With imported,
// they include those that its user brought.
func (d *Domains) own(ctx context.Context, h anchor.Hostname, imported bool) (arns []string, err error) {
	pages := acm.NewListCertificatesPaginator(d.ACM, &acm.ListCertificatesInput{
		// Without these, ACM lists only certificates with RSA keys.
		Includes: &acmtypes.Filters{KeyTypes: acmtypes.KeyAlgorithm("").Values()},
		MaxItems: sdk.Int32(maxCertificates),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range page.CertificateSummaryList {
			// A certificate that a user brought may have another name first.
			if sdk.ToString(c.DomainName) != primary(h.Name) && (!imported || c.Type == acmtypes.CertificateTypeAmazonIssued) {
				continue
			}
			ours := sdk.ToString(c.CertificateArn) == h.CertificateARN
			if !ours {
				if ours, err = d.isOf(ctx, c.CertificateArn, h); err != nil {
					return nil, err
				}
			}
			if ours {
				arns = append(arns, sdk.ToString(c.CertificateArn))
			}
		}
	}
	return arns, nil
}

func (d *Domains) isOf(ctx context.Context, arn *string, h anchor.Hostname) (bool, error) {
	out, err := d.ACM.ListTagsForCertificate(ctx, &acm.ListTagsForCertificateInput{CertificateArn: arn})
	if gone(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	for _, t := range out.Tags {
		if sdk.ToString(t.Key) == hostnameTag && sdk.ToString(t.Value) == string(h.ID) {
			return true, nil
		}
	}
	return false, nil
}

// request requests a certificate and waits a few seconds for the record that has to be set.
func (d *Domains) request(ctx context.Context, h anchor.Hostname) (domains.Certificate, error) {
	p, err := d.Projects.Project(ctx, h.ProjectID)
	if err != nil {
		return domains.Certificate{}, err
	}
	in := &acm.RequestCertificateInput{
		DomainName:       sdk.String(primary(h.Name)),
		ValidationMethod: acmtypes.ValidationMethodDns,
		IdempotencyToken: sdk.String(token(h)),
		KeyAlgorithm:     acmtypes.KeyAlgorithmRsa2048,
		Tags:             d.acmTags(p, h),
	}
	if primary(h.Name) != h.Name {
		in.SubjectAlternativeNames = []string{h.Name}
	}
	out, err := d.ACM.RequestCertificate(ctx, in)
	if err != nil {
		return domains.Certificate{}, err
	}
	arn := sdk.ToString(out.CertificateArn)
	d.Log.Info("certificate requested", "domain", h.Name, "arn", arn)
	return d.firstSight(ctx, h, arn), nil
}

// glances is how often a new request is read before it is left to the reconciler.
const glances = 5

func (d *Domains) firstSight(ctx context.Context, h anchor.Hostname, arn string) domains.Certificate {
	c := domains.Certificate{ARN: arn, Status: anchor.CertPending}
	looks := d.retries
	looks.Calls = glances
	err := retry.Poll(ctx, looks, func() (bool, error) {
		detail, err := d.see(ctx, arn)
		if err != nil || detail == nil {
			return false, err
		}
		c = describeCert(h, detail)
		return c.Validation != nil || c.Status != anchor.CertPending, nil
	})
	if err != nil && !errors.Is(err, retry.ErrNotReady) && ctx.Err() == nil {
		// The request was made, so its ARN must be stored in the record in any case.
		d.Log.Warn("look at a new certificate", "domain", h.Name, "error", err)
	}
	return c
}

// token is the idempotency token: for an hour, ACM returns the same certificate when a request is
// repeated. After that, the certificate is found by its tag. A certificate that replaces one in
// the record belongs to another generation.
func token(h anchor.Hostname) string {
	sum := sha256.Sum256([]byte(string(h.ID) + "\x00" + h.Name + "\x00" + h.CertificateARN))
	return hex.EncodeToString(sum[:16]) // at most 32 characters
}

// longestPrimary is in octets: the first name becomes the common name (RFC 5280, ub-common-name).
const longestPrimary = 64

// primary returns the name itself or, for a long one, the nearest parent name that is short
// enough. That one is then validated too.
func primary(name string) string {
	for len(name) > longestPrimary {
		_, above, found := strings.Cut(name, ".")
		if !found {
			return name
		}
		name = above
	}
	return name
}

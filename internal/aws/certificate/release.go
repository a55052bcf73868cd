package certificate

import (
	"context"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Release implements domains.Certificates. It deletes all certificates that were ever created for
// the hostname. While CloudFront still uses one, the error is of KindBusy, and the next call
// continues.
func (d *Domains) Release(ctx context.Context, h anchor.Hostname) error {
	arns, err := d.own(ctx, h, true)
	if err != nil {
		return explainFailure(err, h.Name)
	}
	if h.CertificateARN != "" && !slices.Contains(arns, h.CertificateARN) {
		arns = append(arns, h.CertificateARN)
	}
	for _, arn := range arns {
		if err := d.dropCertificate(ctx, arn, h.Name); err != nil {
			return explainFailure(err, h.Name)
		}
	}
	return nil
}

// dropCertificate removes a certificate from the distributions that fall back on it and deletes it.
func (d *Domains) dropCertificate(ctx context.Context, arn, name string) error {
	if err := d.freeCertificate(ctx, arn); err != nil {
		return err
	}
	err := d.deleteCertificate(ctx, arn)
	if awserr.Is(err, "ResourceInUseException") {
		return settlingError("CloudFront has not let go of the certificate of %s yet", name)
	}
	return err
}

func (d *Domains) deleteCertificate(ctx context.Context, arn string) error {
	_, err := d.ACM.DeleteCertificate(ctx, &acm.DeleteCertificateInput{CertificateArn: sdk.String(arn)})
	if gone(err) {
		return nil
	}
	return err
}

func (d *Domains) tagCertificate(ctx context.Context, h anchor.Hostname, p anchor.Project) error {
	_, err := d.ACM.AddTagsToCertificate(ctx, &acm.AddTagsToCertificateInput{
		CertificateArn: sdk.String(h.CertificateARN), Tags: d.acmTags(p, h),
	})
	return err
}

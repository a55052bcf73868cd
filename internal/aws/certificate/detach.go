package certificate

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Detach implements domains.Front. CloudFront deletes a tenant only some time after it was
// disabled. Until then the error is of KindBusy, and the next call continues.
func (d *Domains) Detach(ctx context.Context, h anchor.Hostname) error {
	err := d.settleWrite(ctx, func() error { return d.removeTenant(ctx, h) })
	switch {
	case err == nil || gone(err):
		return nil
	case awserr.Is(err, "ResourceNotDisabled"):
		return settlingError("CloudFront is still removing %s", h.Name)
	}
	return explainFailure(err, h.Name)
}

func (d *Domains) removeTenant(ctx context.Context, h anchor.Hostname) error {
	now, err := d.CloudFront.GetDistributionTenant(ctx, &cloudfront.GetDistributionTenantInput{Identifier: sdk.String(d.tenantName(h))})
	if err != nil {
		return err
	}
	t, etag := now.DistributionTenant, now.ETag
	if sdk.ToBool(t.Enabled) {
		out, err := d.CloudFront.UpdateDistributionTenant(ctx, &cloudfront.UpdateDistributionTenantInput{
			Id: t.Id, IfMatch: etag, Enabled: sdk.Bool(false),
		})
		if err != nil {
			return err
		}
		t, etag = out.DistributionTenant, out.ETag
	}
	if !isDeployed(t.Status) {
		return settlingError("CloudFront is still removing %s", h.Name)
	}
	_, err = d.CloudFront.DeleteDistributionTenant(ctx, &cloudfront.DeleteDistributionTenantInput{Id: t.Id, IfMatch: etag})
	return err
}

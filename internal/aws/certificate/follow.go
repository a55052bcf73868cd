package certificate

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// Follow updates how the project's domains are served after its own distribution changed (a new
// origin, another secret). Without domains it does nothing.
func (d *Domains) Follow(ctx context.Context, p anchor.Project) error {
	id, err := d.findDistribution(ctx, string(p.ID))
	if err != nil || id == "" {
		return explainFailure(err, p.Slug)
	}
	function, err := d.ensureFunction(ctx)
	if err != nil {
		return explainFailure(err, p.Slug)
	}
	want, err := d.configLike(ctx, p, function)
	if err != nil {
		return explainFailure(err, p.Slug)
	}
	fallback, err := d.anyCertificate(ctx, sdk.String(id), "")
	if err != nil {
		return explainFailure(err, p.Slug)
	}
	_, err = d.alignDistribution(ctx, id, string(p.ID), want, fallback)
	if gone(err) {
		return nil
	}
	return explainFailure(err, p.Slug)
}

// Purge removes everything that CloudFront cached for the project's domains, once for each
// release. Without domains it does nothing.
func (d *Domains) Purge(ctx context.Context, p anchor.Project, live anchor.Live) error {
	id, err := d.findDistribution(ctx, string(p.ID))
	if err != nil || id == "" {
		return explainFailure(err, p.Slug)
	}
	return retry.Do(ctx, d.retries, func() error {
		_, err := d.CloudFront.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
			DistributionId: sdk.String(id),
			InvalidationBatch: &types.InvalidationBatch{
				CallerReference: sdk.String(string(live.Release)),
				Paths:           &types.Paths{Quantity: sdk.Int32(1), Items: []string{"/*"}},
			},
		})
		if gone(err) {
			d.learnDistribution(string(p.ID), "")
			return nil
		}
		if awserr.Crowded(err) {
			return retry.Again(explainFailure(err, p.Slug))
		}
		return explainFailure(err, p.Slug)
	})
}

package front

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Ready learns what Switch needs to know, so that Switch is one call. It makes none
// itself when this process wrote to the store last.
func (f *Front) Ready(ctx context.Context, p anchor.Project) error {
	s, err := f.store(ctx, p)
	if err != nil {
		return err
	}
	_, _, err = f.snapshot(ctx, s)
	return err
}

// Switch makes CloudFront follow the pointer. It never goes back to an older revision:
// then it does nothing.
func (f *Front) Switch(ctx context.Context, p anchor.Project, live anchor.Live) error {
	s, err := f.store(ctx, p)
	if err != nil {
		return err
	}
	to := pointer{Revision: live.Revision, Deployment: live.Deployment}
	return f.change(ctx, s, func(now pointer) (edit, error) {
		if now.Revision >= to.Revision {
			return edit{}, nil
		}
		return edit{live: &to}, nil
	})
}

// Purge drops all that CloudFront cached of the project, once a release: asked again,
// CloudFront gives the invalidation it has. It does not wait for the invalidation to
// have reached everywhere.
func (f *Front) Purge(ctx context.Context, p anchor.Project, live anchor.Live) error {
	s, err := f.store(ctx, p)
	if err != nil {
		return err
	}
	id := s.known()
	if id == "" {
		if id, err = f.findDistribution(ctx, p); err != nil {
			return failed(err, "cloudfront:ListDistributions", f.name(p))
		}
	}
	return failed(f.invalidate(ctx, id, string(live.Release)), "cloudfront:CreateInvalidation", "the distribution "+id)
}

// invalidate backs off while the account has too many invalidations in progress.
func (f *Front) invalidate(ctx context.Context, distribution, reference string) error {
	for attempt := 0; ; attempt++ {
		_, err := f.CloudFront.CreateInvalidation(ctx, &cloudfront.CreateInvalidationInput{
			DistributionId: sdk.String(distribution),
			InvalidationBatch: &types.InvalidationBatch{
				CallerReference: sdk.String(reference),
				// "/*" counts as one path, whatever it stands for.
				Paths: &types.Paths{Quantity: sdk.Int32(1), Items: []string{"/*"}},
			},
		})
		if !crowded(err) || attempt == attempts {
			return err
		}
		if err := f.pause(ctx, attempt); err != nil {
			return err
		}
	}
}

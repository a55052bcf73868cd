package front

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Find returns what serves the project. Before Ensure has created it, the error has the code
// "no_distribution".
func (f *Front) Find(ctx context.Context, p anchor.Project) (Site, error) {
	s, err := f.store(ctx, p)
	if err != nil {
		return Site{}, err
	}
	id, err := f.distributionOf(ctx, p, s)
	if err != nil {
		return Site{}, err
	}
	out, err := f.CloudFront.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: sdk.String(id)})
	if err != nil {
		return Site{}, explainFailure(err, "cloudfront:GetDistribution", "the distribution "+id)
	}
	return Site{Distribution: id, Domain: sdk.ToString(out.Distribution.DomainName), Store: s.arn}, nil
}

package front

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Find gives the project's site, its zero value while Ensure has not made it.
func (f *Front) Find(ctx context.Context, p anchor.Project) (Site, error) {
	s, err := f.store(ctx, p)
	if anchor.CodeOf(err) == "no_distribution" || err == nil && s.known() == "" {
		return Site{}, nil
	}
	if err != nil {
		return Site{}, err
	}
	out, err := f.CloudFront.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: sdk.String(s.known())})
	if err != nil {
		return Site{}, failed(err, "cloudfront:GetDistribution", f.name(p))
	}
	return Site{Distribution: s.known(), Domain: sdk.ToString(out.Distribution.DomainName), Store: s.arn}, nil
}

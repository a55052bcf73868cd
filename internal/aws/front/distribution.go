package front

import (
	"context"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// ensureDistribution finds or creates the project's distribution and updates our part of its
// configuration. It keeps aliases, certificate and whatever an operator has set. known is an id
// to try first, or "".
func (f *Front) ensureDistribution(ctx context.Context, p anchor.Project, known string, w wanted) (Site, error) {
	if f.Distribution != "" {
		return f.adopt(ctx, p, w)
	}
	id := known
	if id == "" {
		found, err := f.findDistribution(ctx, p)
		if err != nil {
			return Site{}, explainFailure(err, "cloudfront:ListDistributions", f.resourceName(p))
		}
		id = found
	}
	if id == "" {
		site, err := f.createDistribution(ctx, p, w)
		return site, explainFailure(err, "cloudfront:CreateDistribution", f.resourceName(p))
	}
	var site Site
	err := f.settleWrite(ctx, func() (err error) {
		site, err = f.alignDistribution(ctx, id, w)
		return err
	})
	if isGone(err) && known != "" {
		return f.ensureDistribution(ctx, p, "", w)
	}
	return site, explainFailure(err, "cloudfront:UpdateDistribution", f.resourceName(p))
}

// adopt updates the distribution that the installation names, which another project may not have.
func (f *Front) adopt(ctx context.Context, p anchor.Project, w wanted) (Site, error) {
	what := "the distribution " + f.Distribution
	now, err := f.CloudFront.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: sdk.String(f.Distribution)})
	if err != nil {
		return Site{}, explainFailure(err, "cloudfront:GetDistributionConfig", what)
	}
	comment := sdk.ToString(now.DistributionConfig.Comment)
	if comment != f.commentText(p) && strings.HasPrefix(comment, f.Installation+"-") {
		return Site{}, anchor.Conflict("distribution_taken", "the distribution %s serves another project: %s", f.Distribution, comment).
			Hintf("CLOUDFRONT_DISTRIBUTION_ID is for an installation of one project. Remove the setting, or the other project.")
	}
	var site Site
	err = f.settleWrite(ctx, func() (err error) {
		site, err = f.alignDistribution(ctx, f.Distribution, w)
		return err
	})
	return site, explainFailure(err, "cloudfront:UpdateDistribution", what)
}

func (f *Front) alignDistribution(ctx context.Context, id string, w wanted) (Site, error) {
	now, err := f.CloudFront.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: sdk.String(id)})
	if err != nil {
		return Site{}, err
	}
	site := Site{Distribution: id, Domain: sdk.ToString(now.Distribution.DomainName)}
	config := now.Distribution.DistributionConfig
	if coversConfig(w.newConfig(), config) {
		return site, nil
	}
	w.mergeInto(config)
	_, err = f.CloudFront.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{
		Id: sdk.String(id), IfMatch: now.ETag, DistributionConfig: config,
	})
	if err == nil {
		f.Log.InfoContext(ctx, "distribution updated", "distribution", id, "name", w.comment)
	}
	return site, err
}

func (f *Front) createDistribution(ctx context.Context, p anchor.Project, w wanted) (Site, error) {
	config := w.newConfig()
	// CloudFront returns the same distribution for the same reference and configuration.
	config.CallerReference = sdk.String(f.commentText(p))
	config.Aliases = &types.Aliases{Quantity: sdk.Int32(0)}
	config.ViewerCertificate = &types.ViewerCertificate{CloudFrontDefaultCertificate: sdk.Bool(true)}
	made, err := f.CloudFront.CreateDistributionWithTags(ctx, &cloudfront.CreateDistributionWithTagsInput{
		DistributionConfigWithTags: &types.DistributionConfigWithTags{DistributionConfig: config, Tags: f.tagList(p)},
	})
	if isTaken(err) {
		// A distribution that was created a moment ago with another configuration.
		if id, found := f.findDistribution(ctx, p); found == nil && id != "" {
			return f.alignDistribution(ctx, id, w)
		}
	}
	if err != nil {
		return Site{}, err
	}
	site := Site{Distribution: sdk.ToString(made.Distribution.Id), Domain: sdk.ToString(made.Distribution.DomainName)}
	f.Log.InfoContext(ctx, "distribution made", "distribution", site.Distribution, "name", w.comment)
	return site, nil
}

// findDistribution returns "" when there is none.
func (f *Front) findDistribution(ctx context.Context, p anchor.Project) (string, error) {
	pages := cloudfront.NewListDistributionsPaginator(f.CloudFront, &cloudfront.ListDistributionsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, d := range page.DistributionList.Items {
			if sdk.ToString(d.Comment) == f.commentText(p) {
				return sdk.ToString(d.Id), nil
			}
		}
	}
	return "", nil
}

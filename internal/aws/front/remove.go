package front

import (
	"context"
	"errors"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// RemoveProject removes the project's distribution, function and store. CloudFront needs minutes
// to disable a distribution. Until then the error is of KindBusy, and the next call continues.
func (f *Front) RemoveProject(ctx context.Context, p anchor.Project) error {
	found, _, err := f.findStore(ctx, p)
	if err != nil && !isGone(err) && !errors.Is(err, errForeign) {
		return explainFailure(err, "cloudfront:DescribeKeyValueStore", f.resourceName(p))
	}
	// The store's comment may name a distribution that no longer exists, or none yet.
	id, err := f.findDistribution(ctx, p)
	if err != nil {
		return explainFailure(err, "cloudfront:ListDistributions", f.resourceName(p))
	}
	if id != "" {
		if err := f.removeDistribution(ctx, p, id); err != nil {
			return err
		}
	}
	if err := f.removeFunction(ctx, p); err != nil {
		return err
	}
	f.dropStore(p.ID)
	if found == nil {
		return nil
	}
	return f.removeStore(ctx, p)
}

func (f *Front) removeDistribution(ctx context.Context, p anchor.Project, id string) error {
	what := "the distribution " + id + " of " + p.Slug
	err := f.settleWrite(ctx, func() error { return f.disableDistribution(ctx, id) })
	if isGone(err) {
		return nil
	}
	if err != nil {
		return explainFailure(err, "cloudfront:UpdateDistribution", what)
	}
	now, err := f.CloudFront.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: sdk.String(id)})
	if isGone(err) {
		return nil
	}
	if err != nil {
		return explainFailure(err, "cloudfront:GetDistribution", what)
	}
	if status := sdk.ToString(now.Distribution.Status); status != "Deployed" {
		return settlingError(what, errors.New("its status is "+status))
	}
	_, err = f.CloudFront.DeleteDistribution(ctx, &cloudfront.DeleteDistributionInput{Id: sdk.String(id), IfMatch: now.ETag})
	switch {
	case err == nil || isGone(err):
		return nil
	case awserr.Stale(err) || awserr.Is(err, "DistributionNotDisabled", "ResourceInUse"):
		return settlingError(what, err)
	}
	return explainFailure(err, "cloudfront:DeleteDistribution", what)
}

func (f *Front) disableDistribution(ctx context.Context, id string) error {
	now, err := f.CloudFront.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: sdk.String(id)})
	if err != nil || !sdk.ToBool(now.DistributionConfig.Enabled) {
		return err
	}
	now.DistributionConfig.Enabled = sdk.Bool(false)
	_, err = f.CloudFront.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{
		Id: sdk.String(id), IfMatch: now.ETag, DistributionConfig: now.DistributionConfig,
	})
	return err
}

// removeFunction keeps a function that a project of the same name has created since.
func (f *Front) removeFunction(ctx context.Context, p anchor.Project) error {
	name := sdk.String(f.resourceName(p))
	err := f.settleWrite(ctx, func() error {
		now, err := f.CloudFront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: name, Stage: types.FunctionStageDevelopment})
		if err != nil || sdk.ToString(now.FunctionSummary.FunctionConfig.Comment) != f.commentText(p) {
			return err
		}
		_, err = f.CloudFront.DeleteFunction(ctx, &cloudfront.DeleteFunctionInput{Name: name, IfMatch: now.ETag})
		return err
	})
	switch {
	case isGone(err):
		return nil
	case awserr.Is(err, "FunctionInUse"):
		return settlingError("the function "+f.resourceName(p), err)
	}
	return explainFailure(err, "cloudfront:DeleteFunction", f.resourceName(p))
}

func (f *Front) removeStore(ctx context.Context, p anchor.Project) error {
	err := f.settleWrite(ctx, func() error {
		_, now, err := f.findStore(ctx, p)
		if err != nil {
			return err
		}
		_, err = f.CloudFront.DeleteKeyValueStore(ctx, &cloudfront.DeleteKeyValueStoreInput{Name: sdk.String(f.resourceName(p)), IfMatch: now.ETag})
		return err
	})
	switch {
	case isGone(err):
		return nil
	case awserr.Is(err, "CannotDeleteEntityWhileInUse"):
		return settlingError("the store "+f.resourceName(p), err)
	}
	return explainFailure(err, "cloudfront:DeleteKeyValueStore", f.resourceName(p))
}

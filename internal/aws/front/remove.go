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
	if err != nil && !gone(err) && !errors.Is(err, errForeign) {
		return failed(err, "cloudfront:DescribeKeyValueStore", f.name(p))
	}
	// The store's comment may name a distribution that no longer exists, or none yet.
	id, err := f.findDistribution(ctx, p)
	if err != nil {
		return failed(err, "cloudfront:ListDistributions", f.name(p))
	}
	if id != "" {
		if err := f.removeDistribution(ctx, p, id); err != nil {
			return err
		}
	}
	if err := f.removeFunction(ctx, p); err != nil {
		return err
	}
	f.drop(p.ID)
	if found == nil {
		return nil
	}
	return f.removeStore(ctx, p)
}

func (f *Front) removeDistribution(ctx context.Context, p anchor.Project, id string) error {
	what := "the distribution " + id + " of " + p.Slug
	err := f.settle(ctx, func() error { return f.disable(ctx, id) })
	if gone(err) {
		return nil
	}
	if err != nil {
		return failed(err, "cloudfront:UpdateDistribution", what)
	}
	now, err := f.CloudFront.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: sdk.String(id)})
	if gone(err) {
		return nil
	}
	if err != nil {
		return failed(err, "cloudfront:GetDistribution", what)
	}
	if status := sdk.ToString(now.Distribution.Status); status != "Deployed" {
		return settling(what, errors.New("its status is "+status))
	}
	_, err = f.CloudFront.DeleteDistribution(ctx, &cloudfront.DeleteDistributionInput{Id: sdk.String(id), IfMatch: now.ETag})
	switch {
	case err == nil || gone(err):
		return nil
	case awserr.Stale(err) || awserr.Is(err, "DistributionNotDisabled", "ResourceInUse"):
		return settling(what, err)
	}
	return failed(err, "cloudfront:DeleteDistribution", what)
}

func (f *Front) disable(ctx context.Context, id string) error {
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
	name := sdk.String(f.name(p))
	err := f.settle(ctx, func() error {
		now, err := f.CloudFront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: name, Stage: types.FunctionStageDevelopment})
		if err != nil || sdk.ToString(now.FunctionSummary.FunctionConfig.Comment) != f.comment(p) {
			return err
		}
		_, err = f.CloudFront.DeleteFunction(ctx, &cloudfront.DeleteFunctionInput{Name: name, IfMatch: now.ETag})
		return err
	})
	switch {
	case gone(err):
		return nil
	case awserr.Is(err, "FunctionInUse"):
		return settling("the function "+f.name(p), err)
	}
	return failed(err, "cloudfront:DeleteFunction", f.name(p))
}

func (f *Front) removeStore(ctx context.Context, p anchor.Project) error {
	err := f.settle(ctx, func() error {
		_, now, err := f.findStore(ctx, p)
		if err != nil {
			return err
		}
		_, err = f.CloudFront.DeleteKeyValueStore(ctx, &cloudfront.DeleteKeyValueStoreInput{Name: sdk.String(f.name(p)), IfMatch: now.ETag})
		return err
	})
	switch {
	case gone(err):
		return nil
	case awserr.Is(err, "CannotDeleteEntityWhileInUse"):
		return settling("the store "+f.name(p), err)
	}
	return failed(err, "cloudfront:DeleteKeyValueStore", f.name(p))
}

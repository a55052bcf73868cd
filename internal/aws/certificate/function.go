package certificate

import (
	"bytes"
	"context"
	_ "embed"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Source is the CloudFront function of the multi-tenant distributions.
//
//go:embed domains.js
var Source []byte

func (d *Domains) functionName() string { return d.Installation + "-domains" }

// ensureFunction creates the installation's function or updates it to this version of Anchor, and
// returns its ARN.
func (d *Domains) ensureFunction(ctx context.Context) (arn string, err error) {
	err = d.settleWrite(ctx, func() error {
		arn, err = d.alignFunction(ctx)
		return err
	})
	return arn, err
}

func (d *Domains) alignFunction(ctx context.Context) (string, error) {
	name := sdk.String(d.functionName())
	config := &types.FunctionConfig{Comment: sdk.String("Anchor: custom domains"), Runtime: types.FunctionRuntimeCloudfrontJs20}
	now, err := d.CloudFront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: name, Stage: types.FunctionStageDevelopment})
	if gone(err) {
		return d.createFunction(ctx, name, config)
	}
	if err != nil {
		return "", err
	}
	arn, etag := sdk.ToString(now.FunctionSummary.FunctionMetadata.FunctionARN), now.ETag
	if live, err := d.functionCode(ctx, name, types.FunctionStageLive); err != nil || bytes.Equal(live, Source) {
		return arn, err
	}
	draft, err := d.functionCode(ctx, name, types.FunctionStageDevelopment)
	if err != nil {
		return "", err
	}
	if !bytes.Equal(draft, Source) {
		if _, err := d.CloudFront.UpdateFunction(ctx, &cloudfront.UpdateFunctionInput{
			Name: name, IfMatch: etag, FunctionCode: Source, FunctionConfig: config,
		}); err != nil {
			return "", err
		}
		// The API's model expects this answer's ETag in a header named ETtag.
		now, err := d.CloudFront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: name, Stage: types.FunctionStageDevelopment})
		if err != nil {
			return "", err
		}
		etag = now.ETag
	}
	return arn, d.publishFunction(ctx, name, etag)
}

func (d *Domains) createFunction(ctx context.Context, name *string, config *types.FunctionConfig) (string, error) {
	made, err := d.CloudFront.CreateFunction(ctx, &cloudfront.CreateFunctionInput{
		Name: name, FunctionCode: Source, FunctionConfig: config, Tags: d.cloudFrontTags(anchor.Project{}),
	})
	if isTaken(err) {
		return "", settlingError("another process is making the function %s", *name)
	}
	if err != nil {
		return "", err
	}
	return sdk.ToString(made.FunctionSummary.FunctionMetadata.FunctionARN), d.publishFunction(ctx, name, made.ETag)
}

// functionCode returns nil for a stage without code.
func (d *Domains) functionCode(ctx context.Context, name *string, stage types.FunctionStage) ([]byte, error) {
	out, err := d.CloudFront.GetFunction(ctx, &cloudfront.GetFunctionInput{Name: name, Stage: stage})
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return out.FunctionCode, nil
}

func (d *Domains) publishFunction(ctx context.Context, name, etag *string) error {
	_, err := d.CloudFront.PublishFunction(ctx, &cloudfront.PublishFunctionInput{Name: name, IfMatch: etag})
	return err
}

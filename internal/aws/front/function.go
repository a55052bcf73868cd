package front

import (
	"bytes"
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// ensureFunction creates the project's viewer-request function or updates it to this version of Anchor,
// and returns its ARN. Publishing changes what runs everywhere, so it publishes only when
// something has changed.
func (f *Front) ensureFunction(ctx context.Context, p anchor.Project, store string) (arn string, err error) {
	err = f.settleWrite(ctx, func() error {
		arn, err = f.alignFunction(ctx, p, store)
		return err
	})
	return arn, explainFailure(err, "cloudfront:UpdateFunction", f.resourceName(p))
}

func (f *Front) alignFunction(ctx context.Context, p anchor.Project, store string) (string, error) {
	name := sdk.String(f.resourceName(p))
	want := &types.FunctionConfig{
		Comment: sdk.String(f.commentText(p)),
		Runtime: types.FunctionRuntimeCloudfrontJs20,
		KeyValueStoreAssociations: &types.KeyValueStoreAssociations{
			Quantity: sdk.Int32(1),
			Items:    []types.KeyValueStoreAssociation{{KeyValueStoreARN: sdk.String(store)}},
		},
	}
	now, err := f.CloudFront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: name, Stage: types.FunctionStageDevelopment})
	if isGone(err) {
		return f.createFunction(ctx, p, want)
	}
	if err != nil {
		return "", err
	}
	arn, etag := sdk.ToString(now.FunctionSummary.FunctionMetadata.FunctionARN), now.ETag
	same, err := f.sameFunction(ctx, name, want, now.FunctionSummary.FunctionConfig)
	if err != nil {
		return "", err
	}
	if !same {
		if _, err := f.CloudFront.UpdateFunction(ctx, &cloudfront.UpdateFunctionInput{
			Name: name, IfMatch: etag, FunctionCode: Source, FunctionConfig: want,
		}); err != nil {
			return "", err
		}
		// The API's model expects that answer's ETag in a header named ETtag.
		now, err := f.CloudFront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: name, Stage: types.FunctionStageDevelopment})
		if err != nil {
			return "", err
		}
		return arn, f.publishFunction(ctx, name, now.ETag)
	}
	// A run that ended before it published left the live stage without these.
	live, err := f.CloudFront.GetFunction(ctx, &cloudfront.GetFunctionInput{Name: name, Stage: types.FunctionStageLive})
	if err != nil && !isGone(err) {
		return "", err
	}
	if err == nil && bytes.Equal(live.FunctionCode, Source) {
		return arn, nil
	}
	return arn, f.publishFunction(ctx, name, etag)
}

func (f *Front) sameFunction(ctx context.Context, name *string, want, have *types.FunctionConfig) (bool, error) {
	if !coversConfig(want, have) {
		return false, nil
	}
	code, err := f.CloudFront.GetFunction(ctx, &cloudfront.GetFunctionInput{Name: name, Stage: types.FunctionStageDevelopment})
	if err != nil {
		return false, err
	}
	return bytes.Equal(code.FunctionCode, Source), nil
}

func (f *Front) createFunction(ctx context.Context, p anchor.Project, want *types.FunctionConfig) (string, error) {
	name := sdk.String(f.resourceName(p))
	made, err := f.CloudFront.CreateFunction(ctx, &cloudfront.CreateFunctionInput{
		Name: name, FunctionCode: Source, FunctionConfig: want, Tags: f.tagList(p),
	})
	if isTaken(err) {
		return f.alignFunction(ctx, p, sdk.ToString(want.KeyValueStoreAssociations.Items[0].KeyValueStoreARN))
	}
	if err != nil {
		return "", err
	}
	return sdk.ToString(made.FunctionSummary.FunctionMetadata.FunctionARN), f.publishFunction(ctx, name, made.ETag)
}

func (f *Front) publishFunction(ctx context.Context, name, etag *string) error {
	_, err := f.CloudFront.PublishFunction(ctx, &cloudfront.PublishFunctionInput{Name: name, IfMatch: etag})
	if err == nil {
		f.Log.InfoContext(ctx, "viewer-request function published", "function", sdk.ToString(name))
	}
	return err
}

func (f *Front) tagList(p anchor.Project) *types.Tags {
	tags := f.tagsOf(p)
	list := &types.Tags{}
	for _, key := range []string{"Project", "ManagedBy", "Installation"} {
		list.Items = append(list.Items, types.Tag{Key: sdk.String(key), Value: sdk.String(tags[key])})
	}
	return list
}

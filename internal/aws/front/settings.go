package front

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Apply gives the project's distribution the web ACL and the tags of its settings. before are those
// that it has; what they have and now has not is removed. What an operator has set stays. It makes no
// call when nothing differs.
func (f *Front) Apply(ctx context.Context, p anchor.Project, before, now anchor.Settings) error {
	gone, added := changedTags(before.Tags, now.Tags)
	if before.WebACL == now.WebACL && len(gone)+len(added) == 0 {
		return nil
	}
	site, err := f.Find(ctx, p)
	if err != nil {
		return err
	}
	if before.WebACL != now.WebACL {
		err := f.settleWrite(ctx, func() error { return f.putWebACL(ctx, site.Distribution, now.WebACL) })
		if err != nil {
			return explainFailure(err, "cloudfront:UpdateDistribution", f.resourceName(p))
		}
	}
	return f.putTags(ctx, site.Distribution, gone, added)
}

func (f *Front) putWebACL(ctx context.Context, id, arn string) error {
	out, err := f.CloudFront.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: &id})
	if err != nil {
		return err
	}
	config := out.Distribution.DistributionConfig
	if sdk.ToString(config.WebACLId) == arn {
		return nil
	}
	config.WebACLId = &arn // "" removes it (CloudFront API, DistributionConfig)
	_, err = f.CloudFront.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: &id, IfMatch: out.ETag, DistributionConfig: config})
	return err
}

func (f *Front) putTags(ctx context.Context, id string, gone []string, added []types.Tag) error {
	if len(gone)+len(added) == 0 {
		return nil
	}
	out, err := f.CloudFront.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: &id})
	if err == nil && len(gone) > 0 {
		_, err = f.CloudFront.UntagResource(ctx, &cloudfront.UntagResourceInput{Resource: out.Distribution.ARN, TagKeys: &types.TagKeys{Items: gone}})
	}
	if err == nil && len(added) > 0 {
		_, err = f.CloudFront.TagResource(ctx, &cloudfront.TagResourceInput{Resource: out.Distribution.ARN, Tags: &types.Tags{Items: added}})
	}
	return explainFailure(err, "cloudfront:TagResource", "the distribution "+id)
}

// changedTags returns the tags that are no longer wanted, and those that are new or have another value.
func changedTags(before, now map[string]string) (gone []string, added []types.Tag) {
	for name := range before {
		if _, stays := now[name]; !stays {
			gone = append(gone, name)
		}
	}
	for name, value := range now {
		if have, there := before[name]; !there || have != value {
			added = append(added, types.Tag{Key: sdk.String(name), Value: sdk.String(value)})
		}
	}
	return gone, added
}

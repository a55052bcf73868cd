package front

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// shared holds the ids of what all projects of the installation share.
type shared struct {
	access string // origin access control for the assets bucket
	pages  string // cache policy of pages
	images string // cache policy of next/image
}

// Managed policies have the same id in every account (CloudFront Developer Guide,
// "Use managed cache policies" and "Use managed origin request policies").
const (
	cachingOptimized          = "658327ea-f89d-4fab-a63d-7e88639e58f6"
	allViewerExceptHostHeader = "b689b0a8-53d0-40ab-baf2-68738e2966ac"
)

// ensureShared finds or creates what projects share, once in each process.
func (f *Front) ensureShared(ctx context.Context) (shared, error) {
	f.mu.Lock()
	known := f.shared
	f.mu.Unlock()
	if known != (shared{}) {
		return known, nil
	}
	var s shared
	var err error
	if s.access, err = f.accessControl(ctx); err != nil {
		return s, explainFailure(err, "cloudfront:CreateOriginAccessControl", f.Installation)
	}
	policies, err := f.cachePolicies(ctx)
	if err != nil {
		return s, explainFailure(err, "cloudfront:ListCachePolicies", f.Installation)
	}
	if s.pages, err = f.cachePolicy(ctx, policies, pagePolicy(f.Installation+"-pages")); err != nil {
		return s, explainFailure(err, "cloudfront:CreateCachePolicy", f.Installation+"-pages")
	}
	if s.images, err = f.cachePolicy(ctx, policies, imagePolicy(f.Installation+"-images")); err != nil {
		return s, explainFailure(err, "cloudfront:CreateCachePolicy", f.Installation+"-images")
	}
	f.mu.Lock()
	f.shared = s
	f.mu.Unlock()
	return s, nil
}

// accessControl signs CloudFront's requests to the assets bucket.
func (f *Front) accessControl(ctx context.Context) (string, error) {
	name := f.Installation + "-assets"
	if id, err := f.findAccessControl(ctx, name); err != nil || id != "" {
		return id, err
	}
	made, err := f.CloudFront.CreateOriginAccessControl(ctx, &cloudfront.CreateOriginAccessControlInput{
		OriginAccessControlConfig: &types.OriginAccessControlConfig{
			Name:                          sdk.String(name),
			Description:                   sdk.String("Anchor: static files"),
			OriginAccessControlOriginType: types.OriginAccessControlOriginTypesS3,
			SigningBehavior:               types.OriginAccessControlSigningBehaviorsAlways,
			SigningProtocol:               types.OriginAccessControlSigningProtocolsSigv4,
		},
	})
	if isTaken(err) {
		return f.findAccessControl(ctx, name)
	}
	if err != nil {
		return "", err
	}
	return sdk.ToString(made.OriginAccessControl.Id), nil
}

func (f *Front) findAccessControl(ctx context.Context, name string) (string, error) {
	pages := cloudfront.NewListOriginAccessControlsPaginator(f.CloudFront, &cloudfront.ListOriginAccessControlsInput{})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return "", err
		}
		for _, c := range page.OriginAccessControlList.Items {
			if sdk.ToString(c.Name) == name {
				return sdk.ToString(c.Id), nil
			}
		}
	}
	return "", nil
}

// cachePolicies returns the account's own cache policies by name.
func (f *Front) cachePolicies(ctx context.Context) (map[string]*types.CachePolicy, error) {
	all := map[string]*types.CachePolicy{}
	in := &cloudfront.ListCachePoliciesInput{Type: types.CachePolicyTypeCustom}
	for {
		page, err := f.CloudFront.ListCachePolicies(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, p := range page.CachePolicyList.Items {
			all[sdk.ToString(p.CachePolicy.CachePolicyConfig.Name)] = p.CachePolicy
		}
		if in.Marker = page.CachePolicyList.NextMarker; sdk.ToString(in.Marker) == "" {
			return all, nil
		}
	}
}

func (f *Front) cachePolicy(ctx context.Context, there map[string]*types.CachePolicy, want *types.CachePolicyConfig) (string, error) {
	name := sdk.ToString(want.Name)
	if p := there[name]; p != nil {
		if coversConfig(want, p.CachePolicyConfig) {
			return sdk.ToString(p.Id), nil
		}
		return sdk.ToString(p.Id), f.updateCachePolicy(ctx, sdk.ToString(p.Id), want)
	}
	made, err := f.CloudFront.CreateCachePolicy(ctx, &cloudfront.CreateCachePolicyInput{CachePolicyConfig: want})
	if isTaken(err) {
		there, err = f.cachePolicies(ctx)
		if err != nil || there[name] == nil {
			return "", err
		}
		return f.cachePolicy(ctx, there, want)
	}
	if err != nil {
		return "", err
	}
	return sdk.ToString(made.CachePolicy.Id), nil
}

func (f *Front) updateCachePolicy(ctx context.Context, id string, want *types.CachePolicyConfig) error {
	return f.settleWrite(ctx, func() error {
		now, err := f.CloudFront.GetCachePolicy(ctx, &cloudfront.GetCachePolicyInput{Id: sdk.String(id)})
		if err != nil {
			return err
		}
		_, err = f.CloudFront.UpdateCachePolicy(ctx, &cloudfront.UpdateCachePolicyInput{
			Id: sdk.String(id), IfMatch: now.ETag, CachePolicyConfig: want,
		})
		return err
	})
}

// settleWrite repeats a read and write while other writers change the resource between the two.
func (f *Front) settleWrite(ctx context.Context, do func() error) error {
	return retry.Do(ctx, f.retries, func() error {
		err := do()
		if awserr.Stale(err) {
			return retry.Again(err)
		}
		return err
	})
}

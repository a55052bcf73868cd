package front

import (
	"context"
	"errors"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"

	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// RemoveShared removes what all projects share: two cache policies and the origin access control.
// It may be called again. It returns the names of those that a distribution still uses, which
// stay.
func (f *Front) RemoveShared(ctx context.Context) (kept []string, err error) {
	policies, err := f.cachePolicies(ctx)
	if err != nil {
		return nil, explainFailure(err, "cloudfront:ListCachePolicies", f.Installation)
	}
	access, err := f.findAccessControl(ctx, f.Installation+"-assets")
	if err != nil {
		return nil, explainFailure(err, "cloudfront:ListOriginAccessControls", f.Installation)
	}
	var errs []error
	remove := func(what, action string, do func() error) {
		switch err := f.settleWrite(ctx, do); {
		case err == nil || isGone(err):
		case awserr.Is(err, "CachePolicyInUse", "OriginAccessControlInUse"):
			kept = append(kept, what+", which a distribution uses")
		default:
			errs = append(errs, explainFailure(err, action, what))
		}
	}
	for _, name := range []string{f.Installation + "-images", f.Installation + "-pages"} {
		if p := policies[name]; p != nil {
			remove("the cache policy "+name, "cloudfront:DeleteCachePolicy", func() error { return f.deletePolicy(ctx, sdk.ToString(p.Id)) })
		}
	}
	if access != "" {
		remove("the origin access control "+f.Installation+"-assets", "cloudfront:DeleteOriginAccessControl",
			func() error { return f.deleteAccessControl(ctx, access) })
	}
	f.mu.Lock()
	f.shared = shared{}
	f.mu.Unlock()
	slices.Sort(kept)
	return kept, errors.Join(errs...)
}

func (f *Front) deletePolicy(ctx context.Context, id string) error {
	now, err := f.CloudFront.GetCachePolicy(ctx, &cloudfront.GetCachePolicyInput{Id: &id})
	if err != nil {
		return err
	}
	_, err = f.CloudFront.DeleteCachePolicy(ctx, &cloudfront.DeleteCachePolicyInput{Id: &id, IfMatch: now.ETag})
	return err
}

func (f *Front) deleteAccessControl(ctx context.Context, id string) error {
	now, err := f.CloudFront.GetOriginAccessControl(ctx, &cloudfront.GetOriginAccessControlInput{Id: &id})
	if err != nil {
		return err
	}
	_, err = f.CloudFront.DeleteOriginAccessControl(ctx, &cloudfront.DeleteOriginAccessControlInput{Id: &id, IfMatch: now.ETag})
	return err
}

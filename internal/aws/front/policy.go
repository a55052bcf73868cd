package front

import (
	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
)

const year = 365 * 24 * 60 * 60 // seconds

// keyHeaders are the headers that pages differ by, besides URL and query. They are nine; a cache
// policy accepts ten. x-prerender-revalidate is not among them, because such a request is never
// answered from the cache (x-anchor-variant, see viewer-request.js).
var keyHeaders = []string{
	"accept", "rsc", "next-url", "next-router-prefetch", "next-router-state-tree", "next-router-segment-prefetch",
	"x-forwarded-host", "x-anchor-deployment", "x-anchor-variant",
}

// pagePolicy caches what the app allows, for as long as the app allows.
func pagePolicy(name string) *types.CachePolicyConfig {
	return cachePolicy(name, keyHeaders, &types.CachePolicyQueryStringsConfig{
		QueryStringBehavior: types.CachePolicyQueryStringBehaviorAll,
	})
}

// imagePolicy lists everything that an optimized image depends on.
func imagePolicy(name string) *types.CachePolicyConfig {
	return cachePolicy(name, []string{"accept", "x-anchor-deployment", "x-anchor-variant"}, &types.CachePolicyQueryStringsConfig{
		QueryStringBehavior: types.CachePolicyQueryStringBehaviorWhitelist,
		QueryStrings:        &types.QueryStringNames{Quantity: sdk.Int32(3), Items: []string{"url", "w", "q"}},
	})
}

func cachePolicy(name string, headers []string, query *types.CachePolicyQueryStringsConfig) *types.CachePolicyConfig {
	return &types.CachePolicyConfig{
		Name: sdk.String(name), Comment: sdk.String("Anchor"),
		MinTTL: sdk.Int64(0), DefaultTTL: sdk.Int64(0), MaxTTL: sdk.Int64(year),
		ParametersInCacheKeyAndForwardedToOrigin: &types.ParametersInCacheKeyAndForwardedToOrigin{
			EnableAcceptEncodingGzip:   sdk.Bool(true),
			EnableAcceptEncodingBrotli: sdk.Bool(true),
			CookiesConfig:              &types.CachePolicyCookiesConfig{CookieBehavior: types.CachePolicyCookieBehaviorNone},
			HeadersConfig: &types.CachePolicyHeadersConfig{
				HeaderBehavior: types.CachePolicyHeaderBehaviorWhitelist,
				Headers:        &types.Headers{Quantity: sdk.Int32(int32(len(headers))), Items: headers},
			},
			QueryStringsConfig: query,
		},
	}
}

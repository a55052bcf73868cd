package front

import (
	"cmp"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The origins of a distribution, by the ids that viewer-request.js selects them with.
const (
	originHashed = "hashed" // files named by their content, which all deployments share
	originPublic = "public" // a deployment's own files
	originServer = "server" // the live server function
	originImage  = "image"  // the live image function
)

// wanted holds the values of our part of a distribution's configuration.
type wanted struct {
	ids      shared
	comment  string
	function string // ARN
	bucket   string // domain name
	project  anchor.ProjectID
	server   string // host
	image    string // host
	secret   string
}

func (f *Front) wantedConfig(p anchor.Project, s shared, function string, live map[string]string) wanted {
	return wanted{
		ids: s, comment: f.commentText(p), function: function, project: p.ID, secret: f.originSecret(p),
		bucket: fmt.Sprintf("%s.s3.%s.amazonaws.com", f.AssetsBucket, f.Region),
		server: live[anchor.ServerFunction],
		image:  cmp.Or(live[anchor.ImageFunction], live[anchor.ServerFunction]),
	}
}

// newConfig leaves everything unset that is not ours.
func (w wanted) newConfig() *types.DistributionConfig {
	c := &types.DistributionConfig{}
	w.mergeInto(c)
	return c
}

// mergeInto writes our part over c.
func (w wanted) mergeInto(c *types.DistributionConfig) {
	c.Comment = sdk.String(w.comment)
	c.Enabled = sdk.Bool(true)
	c.HttpVersion = types.HttpVersionHttp2and3
	c.IsIPV6Enabled = sdk.Bool(true)
	if c.PriceClass == "" {
		c.PriceClass = types.PriceClassPriceClassAll
	}
	origins := []types.Origin{
		w.filesOrigin(originHashed, "/assets/"+string(w.project)),
		w.filesOrigin(originPublic, ""),
		w.functionURL(originServer, w.server),
		w.functionURL(originImage, w.image),
	}
	c.Origins = &types.Origins{Quantity: sdk.Int32(int32(len(origins))), Items: origins}
	behaviors := []types.CacheBehavior{w.hashedBehavior(), w.imageBehavior()}
	c.CacheBehaviors = &types.CacheBehaviors{Quantity: sdk.Int32(int32(len(behaviors))), Items: behaviors}
	c.DefaultCacheBehavior = w.pageBehavior()
	c.CustomErrorResponses = errorsUncached()
}

func (w wanted) filesOrigin(id, path string) types.Origin {
	return types.Origin{
		Id: sdk.String(id), DomainName: sdk.String(w.bucket), OriginPath: sdk.String(path),
		OriginAccessControlId: sdk.String(w.ids.access),
		S3OriginConfig:        &types.S3OriginConfig{OriginAccessIdentity: sdk.String("")},
		CustomHeaders:         &types.CustomHeaders{Quantity: sdk.Int32(0)},
		ConnectionAttempts:    sdk.Int32(3), ConnectionTimeout: sdk.Int32(10),
		OriginShield: &types.OriginShield{Enabled: sdk.Bool(false)},
	}
}

func (w wanted) functionURL(id, host string) types.Origin {
	return types.Origin{
		Id: sdk.String(id), DomainName: sdk.String(host), OriginPath: sdk.String(""),
		CustomHeaders: &types.CustomHeaders{Quantity: sdk.Int32(1), Items: []types.OriginCustomHeader{
			{HeaderName: sdk.String(HeaderOrigin), HeaderValue: sdk.String(w.secret)},
		}},
		CustomOriginConfig: &types.CustomOriginConfig{
			HTTPPort: sdk.Int32(80), HTTPSPort: sdk.Int32(443),
			OriginProtocolPolicy: types.OriginProtocolPolicyHttpsOnly,
			OriginSslProtocols:   &types.OriginSslProtocols{Quantity: sdk.Int32(1), Items: []types.SslProtocol{types.SslProtocolTLSv12}},
			// The maximum without a quota increase.
			OriginReadTimeout: sdk.Int32(60), OriginKeepaliveTimeout: sdk.Int32(60),
		},
		ConnectionAttempts: sdk.Int32(3), ConnectionTimeout: sdk.Int32(10),
		OriginShield: &types.OriginShield{Enabled: sdk.Bool(false)},
	}
}

// HeaderOrigin proves to a function that a request came through CloudFront.
const HeaderOrigin = "x-anchor-origin"

// hashedBehavior is for the files of apps without a base path. For apps with one,
// viewer-request.js selects the same origin.
func (w wanted) hashedBehavior() types.CacheBehavior {
	return types.CacheBehavior{
		PathPattern: sdk.String("/_next/static/*"), TargetOriginId: sdk.String(originHashed),
		ViewerProtocolPolicy: types.ViewerProtocolPolicyRedirectToHttps,
		AllowedMethods:       allowedMethods(types.MethodGet, types.MethodHead),
		CachePolicyId:        sdk.String(cachingOptimized),
		Compress:             sdk.Bool(true),
		FunctionAssociations: &types.FunctionAssociations{Quantity: sdk.Int32(0)},

		SmoothStreaming: sdk.Bool(false), FieldLevelEncryptionId: sdk.String(""),
		LambdaFunctionAssociations: noLambda(), TrustedSigners: noSigners(), TrustedKeyGroups: noKeyGroups(),
	}
}

func (w wanted) imageBehavior() types.CacheBehavior {
	return types.CacheBehavior{
		PathPattern: sdk.String("/_next/image*"), TargetOriginId: sdk.String(originImage),
		ViewerProtocolPolicy:  types.ViewerProtocolPolicyRedirectToHttps,
		AllowedMethods:        everyMethod(),
		CachePolicyId:         sdk.String(w.ids.images),
		OriginRequestPolicyId: sdk.String(allViewerExceptHostHeader),
		Compress:              sdk.Bool(true),
		FunctionAssociations:  w.onRequest(),

		SmoothStreaming: sdk.Bool(false), FieldLevelEncryptionId: sdk.String(""),
		LambdaFunctionAssociations: noLambda(), TrustedSigners: noSigners(), TrustedKeyGroups: noKeyGroups(),
	}
}

func (w wanted) pageBehavior() *types.DefaultCacheBehavior {
	return &types.DefaultCacheBehavior{
		TargetOriginId:        sdk.String(originServer),
		ViewerProtocolPolicy:  types.ViewerProtocolPolicyRedirectToHttps,
		AllowedMethods:        everyMethod(),
		CachePolicyId:         sdk.String(w.ids.pages),
		OriginRequestPolicyId: sdk.String(allViewerExceptHostHeader),
		Compress:              sdk.Bool(true),
		FunctionAssociations:  w.onRequest(),

		SmoothStreaming: sdk.Bool(false), FieldLevelEncryptionId: sdk.String(""),
		LambdaFunctionAssociations: noLambda(), TrustedSigners: noSigners(), TrustedKeyGroups: noKeyGroups(),
	}
}

func (w wanted) onRequest() *types.FunctionAssociations {
	return &types.FunctionAssociations{Quantity: sdk.Int32(1), Items: []types.FunctionAssociation{
		{EventType: types.EventTypeViewerRequest, FunctionARN: sdk.String(w.function)},
	}}
}

func everyMethod() *types.AllowedMethods {
	return allowedMethods(types.MethodGet, types.MethodHead, types.MethodOptions, types.MethodPut,
		types.MethodPost, types.MethodPatch, types.MethodDelete)
}

func allowedMethods(all ...types.Method) *types.AllowedMethods {
	return &types.AllowedMethods{
		Quantity: sdk.Int32(int32(len(all))), Items: all,
		CachedMethods: &types.CachedMethods{Quantity: sdk.Int32(2), Items: []types.Method{types.MethodGet, types.MethodHead}},
	}
}

// errorsUncached sets the caching of errors to zero. By default CloudFront caches them for ten
// seconds, which would outlast a page's publication or a rollback.
func errorsUncached() *types.CustomErrorResponses {
	codes := []int32{400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}
	c := &types.CustomErrorResponses{Quantity: sdk.Int32(int32(len(codes)))}
	for _, code := range codes {
		c.Items = append(c.Items, types.CustomErrorResponse{ErrorCode: sdk.Int32(code), ErrorCachingMinTTL: sdk.Int64(0)})
	}
	return c
}

// UpdateDistribution requires these, though they say nothing (API reference, "Required fields in
// a distribution configuration").

func noLambda() *types.LambdaFunctionAssociations {
	return &types.LambdaFunctionAssociations{Quantity: sdk.Int32(0)}
}

func noSigners() *types.TrustedSigners {
	return &types.TrustedSigners{Enabled: sdk.Bool(false), Quantity: sdk.Int32(0)}
}

func noKeyGroups() *types.TrustedKeyGroups {
	return &types.TrustedKeyGroups{Enabled: sdk.Bool(false), Quantity: sdk.Int32(0)}
}

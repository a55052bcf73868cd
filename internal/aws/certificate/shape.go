package certificate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"
)

// shaped makes a multi-tenant distribution's configuration of that of the distribution
// that serves the same site at its cloudfront.net name. What CloudFront knows for
// standard distributions only is left out (Developer Guide, "Unsupported features for
// SaaS Manager"); connection groups and tenants have their own of most of it.
func shaped(source types.DistributionConfig, function string) types.DistributionConfig {
	c := source
	c.Enabled = sdk.Bool(true)
	c.Aliases, c.AnycastIpListId, c.IsIPV6Enabled = nil, nil, nil
	c.ContinuousDeploymentPolicyId, c.Staging, c.PriceClass = nil, nil, ""
	c.Logging, c.ViewerCertificate, c.CallerReference, c.Comment = nil, nil, nil, nil
	if !strings.HasPrefix(sdk.ToString(c.WebACLId), "arn:") {
		c.WebACLId = nil // of WAF Classic
	}
	c.ConnectionMode, c.TenantConfig = types.ConnectionModeTenantOnly, parameters()
	if source.DefaultCacheBehavior != nil {
		b := *source.DefaultCacheBehavior
		b.TrustedSigners, b.SmoothStreaming = nil, nil
		b.FunctionAssociations = withHSTS(b.FunctionAssociations, function)
		c.DefaultCacheBehavior = &b
	}
	if source.CacheBehaviors != nil {
		all := *source.CacheBehaviors
		all.Items = slices.Clone(all.Items)
		for i := range all.Items {
			b := &all.Items[i]
			b.TrustedSigners, b.SmoothStreaming = nil, nil
			b.FunctionAssociations = withHSTS(b.FunctionAssociations, function)
		}
		c.CacheBehaviors = &all
	}
	return c
}

// The parameters of a distribution tenant, which domains.js reads. A value is never
// empty: CloudFront takes none that is.
const (
	parameterRedirect = "redirect" // a name to redirect to, or nothing
	parameterHSTS     = "hsts"     // on or nothing
	nothing           = "-"
)

func parameters() *types.TenantConfig {
	c := &types.TenantConfig{}
	for _, name := range []string{parameterRedirect, parameterHSTS} {
		c.ParameterDefinitions = append(c.ParameterDefinitions, types.ParameterDefinition{
			Name: sdk.String(name),
			Definition: &types.ParameterDefinitionSchema{
				StringSchema: &types.StringSchemaConfig{Required: sdk.Bool(false), DefaultValue: sdk.String(nothing)},
			},
		})
	}
	return c
}

// withHSTS adds the function to what else there is, unless an operator has one of his
// own for responses: CloudFront takes one.
func withHSTS(there *types.FunctionAssociations, function string) *types.FunctionAssociations {
	all := types.FunctionAssociations{}
	if there != nil {
		all.Items = slices.Clone(there.Items)
	}
	if !slices.ContainsFunc(all.Items, func(a types.FunctionAssociation) bool { return a.EventType == types.EventTypeViewerResponse }) {
		all.Items = append(all.Items, types.FunctionAssociation{EventType: types.EventTypeViewerResponse, FunctionARN: sdk.String(function)})
	}
	all.Quantity = sdk.Int32(int32(len(all.Items)))
	return &all
}

// cachingDisabled is a managed cache policy, with the same id in every account.
const cachingDisabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"

// redirecting is the configuration of the distribution for names that redirect.
// Nothing ever gets to its origin.
func redirecting(function string) types.DistributionConfig {
	return types.DistributionConfig{
		Enabled: sdk.Bool(true), HttpVersion: types.HttpVersionHttp2and3,
		ConnectionMode: types.ConnectionModeTenantOnly, TenantConfig: parameters(),
		Origins: &types.Origins{Quantity: sdk.Int32(1), Items: []types.Origin{{
			Id: sdk.String("none"), DomainName: sdk.String("example.com"), OriginPath: sdk.String(""),
			CustomHeaders: &types.CustomHeaders{Quantity: sdk.Int32(0)},
			CustomOriginConfig: &types.CustomOriginConfig{
				HTTPPort: sdk.Int32(80), HTTPSPort: sdk.Int32(443), OriginProtocolPolicy: types.OriginProtocolPolicyHttpsOnly,
				OriginSslProtocols: &types.OriginSslProtocols{Quantity: sdk.Int32(1), Items: []types.SslProtocol{types.SslProtocolTLSv12}},
			},
		}}},
		DefaultCacheBehavior: &types.DefaultCacheBehavior{
			TargetOriginId: sdk.String("none"), ViewerProtocolPolicy: types.ViewerProtocolPolicyRedirectToHttps,
			CachePolicyId: sdk.String(cachingDisabled), Compress: sdk.Bool(false),
			AllowedMethods: &types.AllowedMethods{
				Quantity: sdk.Int32(7),
				Items: []types.Method{types.MethodGet, types.MethodHead, types.MethodOptions, types.MethodPut,
					types.MethodPost, types.MethodPatch, types.MethodDelete},
				CachedMethods: &types.CachedMethods{Quantity: sdk.Int32(2), Items: []types.Method{types.MethodGet, types.MethodHead}},
			},
			FunctionAssociations: &types.FunctionAssociations{Quantity: sdk.Int32(1), Items: []types.FunctionAssociation{
				{EventType: types.EventTypeViewerRequest, FunctionARN: sdk.String(function)},
			}},
		},
	}
}

// fallback is the certificate of a multi-tenant distribution. Its tenants bring their
// own, but how TLS is spoken is said here, and CloudFront allows TLS 1.0 where only its
// own certificate is: so it is that of any of the tenants.
func fallback(arn string) *types.ViewerCertificate {
	return &types.ViewerCertificate{
		ACMCertificateArn: sdk.String(arn), SSLSupportMethod: types.SSLSupportMethodSniOnly,
		MinimumProtocolVersion: types.MinimumProtocolVersionTLSv122021,
	}
}

// vacant is the certificate of a distribution without tenants.
func vacant() *types.ViewerCertificate {
	return &types.ViewerCertificate{CloudFrontDefaultCertificate: sdk.Bool(true)}
}

// digest tells configurations apart. It stands in the distribution's comment, because
// CloudFront gives a configuration back with more in it than was sent.
func digest(c types.DistributionConfig) string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // it is made of strings and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

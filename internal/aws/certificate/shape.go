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

// shapeConfig returns the configuration of a multi-tenant distribution, made of that of the
// distribution that serves the same site at its cloudfront.net name. It omits what CloudFront
// supports for standard distributions only (Developer Guide, "Unsupported features for SaaS
// Manager"); connection groups and tenants have most of these settings themselves.
func shapeConfig(source types.DistributionConfig, function string) types.DistributionConfig {
	c := source
	c.Enabled = sdk.Bool(true)
	c.Aliases, c.AnycastIpListId, c.IsIPV6Enabled = nil, nil, nil
	c.ContinuousDeploymentPolicyId, c.Staging, c.PriceClass = nil, nil, ""
	c.Logging, c.ViewerCertificate, c.CallerReference, c.Comment = nil, nil, nil, nil
	if !strings.HasPrefix(sdk.ToString(c.WebACLId), "arn:") {
		c.WebACLId = nil // of WAF Classic
	}
	c.ConnectionMode, c.TenantConfig = types.ConnectionModeTenantOnly, tenantParameters()
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

// The parameters of a distribution tenant, which domains.js reads. A value is never empty,
// because CloudFront refuses an empty one.
const (
	parameterRedirect = "redirect" // a name to redirect to, or nothing
	parameterHSTS     = "hsts"     // on or nothing
	nothing           = "-"
)

func tenantParameters() *types.TenantConfig {
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

// withHSTS adds the function to the existing associations, unless an operator has associated
// another one with responses: CloudFront accepts only one.
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

// cachingDisabled is a managed cache policy, which has the same id in every account.
const cachingDisabled = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"

// redirectConfig is the configuration of the distribution for names that redirect. No request ever
// reaches its origin.
func redirectConfig(function string) types.DistributionConfig {
	return types.DistributionConfig{
		Enabled: sdk.Bool(true), HttpVersion: types.HttpVersionHttp2and3,
		ConnectionMode: types.ConnectionModeTenantOnly, TenantConfig: tenantParameters(),
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

// fallbackCert sets the certificate of a multi-tenant distribution. Its tenants have their own, but
// the TLS version is set here, and CloudFront allows TLS 1.0 with its default certificate. So it
// is the certificate of any of the tenants.
func fallbackCert(arn string) *types.ViewerCertificate {
	return &types.ViewerCertificate{
		ACMCertificateArn: sdk.String(arn), SSLSupportMethod: types.SSLSupportMethodSniOnly,
		MinimumProtocolVersion: types.MinimumProtocolVersionTLSv122021,
	}
}

// vacantCert sets the certificate of a distribution without tenants.
func vacantCert() *types.ViewerCertificate {
	return &types.ViewerCertificate{CloudFrontDefaultCertificate: sdk.Bool(true)}
}

// configDigest identifies a configuration. It is stored in the distribution's comment, because the
// configuration that CloudFront returns contains more than was sent.
func configDigest(c types.DistributionConfig) string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err) // it consists of strings and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

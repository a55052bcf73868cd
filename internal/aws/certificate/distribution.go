package certificate

import (
	"context"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// redirects is the key of the distribution for names that redirect. The key of a project's
// distribution is the project's id.
const redirects = "redirects"

// keyOf returns the key of the distribution that the hostname belongs on.
func keyOf(h anchor.Hostname) string {
	if h.Redirect != "" {
		return redirects
	}
	return string(h.ProjectID)
}

// commentPrefix is the beginning of a multi-tenant distribution's comment, by which it is found. The
// digest of its configuration follows.
func (d *Domains) commentPrefix(key string) string { return d.Installation + " domains " + key + " " }

// placeHostname returns the id of the multi-tenant distribution that the hostname belongs on, after
// ensuring that it is enabled, up to date, and has a certificate to fall back on. The first
// hostname creates it.
func (d *Domains) placeHostname(ctx context.Context, h anchor.Hostname, p anchor.Project) (id string, spread bool, err error) {
	function, err := d.ensureFunction(ctx)
	if err != nil {
		return "", false, err
	}
	key, want, owner := keyOf(h), redirectConfig(function), anchor.Project{}
	if key != redirects {
		owner = p
		if want, err = d.configLike(ctx, p, function); err != nil {
			return "", false, err
		}
	}
	if id, err = d.findDistribution(ctx, key); err != nil {
		return "", false, err
	}
	if id != "" {
		spread, err = d.alignDistribution(ctx, id, key, want, h.CertificateARN)
		if !gone(err) {
			return id, spread, err
		}
	}
	return d.createDistribution(ctx, key, owner, want, h.CertificateARN)
}

// configLike returns the desired configuration of the project's multi-tenant distribution.
func (d *Domains) configLike(ctx context.Context, p anchor.Project, function string) (types.DistributionConfig, error) {
	source, err := d.Distribution(ctx, p)
	if err != nil {
		return types.DistributionConfig{}, err
	}
	out, err := d.CloudFront.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: sdk.String(source)})
	if err != nil {
		return types.DistributionConfig{}, err
	}
	return shapeConfig(*out.DistributionConfig, function), nil
}

// findDistribution returns "" when there is none.
func (d *Domains) findDistribution(ctx context.Context, key string) (string, error) {
	d.mu.Lock()
	id := d.known[key]
	d.mu.Unlock()
	if id != "" {
		return id, nil
	}
	all, err := d.listDistributions(ctx)
	if err != nil {
		return "", err
	}
	for _, s := range all {
		if strings.HasPrefix(sdk.ToString(s.Comment), d.commentPrefix(key)) {
			d.learnDistribution(key, sdk.ToString(s.Id))
			return sdk.ToString(s.Id), nil
		}
	}
	return "", nil
}

func (d *Domains) learnDistribution(key, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known[key] = id
}

// listDistributions lists the installation's multi-tenant distributions.
func (d *Domains) listDistributions(ctx context.Context) (ours []types.DistributionSummary, err error) {
	in := &cloudfront.ListDistributionsByConnectionModeInput{ConnectionMode: types.ConnectionModeTenantOnly}
	for {
		out, err := d.CloudFront.ListDistributionsByConnectionMode(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, s := range out.DistributionList.Items {
			if strings.HasPrefix(sdk.ToString(s.Comment), d.Installation+" domains ") {
				ours = append(ours, s)
			}
		}
		if in.Marker = out.DistributionList.NextMarker; sdk.ToString(in.Marker) == "" {
			return ours, nil
		}
	}
}

func (d *Domains) createDistribution(ctx context.Context, key string, owner anchor.Project, want types.DistributionConfig, certificate string) (string, bool, error) {
	want.Comment = sdk.String(d.commentPrefix(key) + configDigest(want))
	// CloudFront refuses a repeated reference, so two concurrent calls create one distribution.
	// The API reference does not say whether it also refuses the reference after the distribution
	// was deleted.
	want.CallerReference = sdk.String(d.commentPrefix(key) + time.Now().UTC().Format("2006-01-02T15"))
	want.ViewerCertificate = fallbackCert(certificate)
	out, err := d.CloudFront.CreateDistributionWithTags(ctx, &cloudfront.CreateDistributionWithTagsInput{
		DistributionConfigWithTags: &types.DistributionConfigWithTags{DistributionConfig: &want, Tags: d.cloudFrontTags(owner)},
	})
	if isTaken(err) {
		return "", false, settlingError("CloudFront is making the distribution for %s", strings.TrimSpace(d.commentPrefix(key)))
	}
	if err != nil {
		return "", false, err
	}
	id := sdk.ToString(out.Distribution.Id)
	d.learnDistribution(key, id)
	d.Log.Info("distribution for custom domains made", "distribution", id, "for", key)
	return id, isDeployed(out.Distribution.Status), nil
}

func isDeployed(status *string) bool { return sdk.ToString(status) == "Deployed" }

// alignDistribution updates a distribution to the desired configuration, and sets its certificate when it has
// none. spread reports whether all of CloudFront knows it.
func (d *Domains) alignDistribution(ctx context.Context, id, key string, want types.DistributionConfig, certificate string) (spread bool, err error) {
	want.Comment = sdk.String(d.commentPrefix(key) + configDigest(want))
	err = d.settleWrite(ctx, func() error {
		now, err := d.CloudFront.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: sdk.String(id)})
		if err != nil {
			return err
		}
		have := now.Distribution.DistributionConfig
		spread = isDeployed(now.Distribution.Status)
		want.ViewerCertificate = have.ViewerCertificate
		bare := have.ViewerCertificate == nil || sdk.ToString(have.ViewerCertificate.ACMCertificateArn) == ""
		dress := bare && certificate != ""
		if dress {
			want.ViewerCertificate = fallbackCert(certificate)
		}
		if !dress && sdk.ToString(have.Comment) == *want.Comment && sdk.ToBool(have.Enabled) {
			return nil
		}
		want.CallerReference = have.CallerReference
		spread = false
		_, err = d.CloudFront.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{
			Id: sdk.String(id), IfMatch: now.ETag, DistributionConfig: &want,
		})
		return err
	})
	if gone(err) {
		d.learnDistribution(key, "")
	}
	return spread, err
}

// freeCertificate removes a certificate from the distributions that fall back on it. Another tenant's
// certificate replaces it, or none where there are no tenants.
func (d *Domains) freeCertificate(ctx context.Context, arn string) error {
	all, err := d.listDistributions(ctx)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.ViewerCertificate == nil || sdk.ToString(s.ViewerCertificate.ACMCertificateArn) != arn {
			continue
		}
		err := d.settleWrite(ctx, func() error { return d.refall(ctx, s.Id, arn) })
		if err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

func (d *Domains) refall(ctx context.Context, id *string, arn string) error {
	now, err := d.CloudFront.GetDistributionConfig(ctx, &cloudfront.GetDistributionConfigInput{Id: id})
	if err != nil {
		return err
	}
	c := now.DistributionConfig
	if c.ViewerCertificate == nil || sdk.ToString(c.ViewerCertificate.ACMCertificateArn) != arn {
		return nil
	}
	other, err := d.anyCertificate(ctx, id, arn)
	if err != nil {
		return err
	}
	c.ViewerCertificate = vacantCert()
	if other != "" {
		c.ViewerCertificate = fallbackCert(other)
	}
	_, err = d.CloudFront.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{Id: id, IfMatch: now.ETag, DistributionConfig: c})
	return err
}

// anyTenant returns a tenant of a distribution that accept accepts, or nil when there is none. It stops at the
// first one: an account has up to 10,000, and a page has 100.
func (d *Domains) anyTenant(
	ctx context.Context, distribution *string, accept func(types.DistributionTenantSummary) bool,
) (*types.DistributionTenantSummary, error) {
	in := &cloudfront.ListDistributionTenantsInput{
		AssociationFilter: &types.DistributionTenantAssociationFilter{DistributionId: distribution},
	}
	for {
		out, err := d.CloudFront.ListDistributionTenants(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, t := range out.DistributionTenantList {
			if accept(t) {
				return &t, nil
			}
		}
		if in.Marker = out.NextMarker; sdk.ToString(in.Marker) == "" {
			return nil, nil
		}
	}
}

// anyCertificate returns the certificate of any tenant other than but, or "" when there is none.
func (d *Domains) anyCertificate(ctx context.Context, distribution *string, but string) (string, error) {
	t, err := d.anyTenant(ctx, distribution, func(t types.DistributionTenantSummary) bool {
		arn := certificateOf(t.Customizations)
		return arn != "" && arn != but
	})
	if err != nil || t == nil {
		return "", err
	}
	return certificateOf(t.Customizations), nil
}

func certificateOf(c *types.Customizations) string {
	if c == nil || c.Certificate == nil {
		return ""
	}
	return sdk.ToString(c.Certificate.Arn)
}

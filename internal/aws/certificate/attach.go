package certificate

import (
	"context"
	"fmt"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Attach implements domains.Front. It makes the hostname's distribution tenant match the record,
// in one UpdateDistributionTenant. Until all of CloudFront knows a new tenant, the error is of
// KindBusy.
func (d *Domains) Attach(ctx context.Context, h anchor.Hostname) error {
	p, err := d.Projects.Project(ctx, h.ProjectID)
	if err != nil {
		return err
	}
	group, _, err := d.ensureConnection(ctx)
	if err != nil {
		return explainFailure(err, h.Name)
	}
	if done, err := d.isUnchanged(ctx, h, group); err != nil || done {
		return explainFailure(err, h.Name)
	}
	id, spread, err := d.placeHostname(ctx, h, p)
	if err != nil {
		return explainFailure(err, h.Name)
	}
	err = d.settleWrite(ctx, func() error { return d.seatTenant(ctx, h, p, seat{distribution: id, group: group, spread: spread}) })
	if awserr.Is(err, "CNAMEAlreadyExists") {
		return d.explainConflict(ctx, h, id, err)
	}
	if err != nil {
		return explainFailure(err, h.Name)
	}
	d.sweepReplaced(ctx, h)
	return nil
}

// isUnchanged handles the common case that nothing needs to be done.
func (d *Domains) isUnchanged(ctx context.Context, h anchor.Hostname, group string) (done bool, err error) {
	id, err := d.findDistribution(ctx, keyOf(h))
	if err != nil || id == "" {
		return false, err
	}
	now, err := d.CloudFront.GetDistributionTenant(ctx, &cloudfront.GetDistributionTenantInput{Identifier: sdk.String(d.tenantName(h))})
	if gone(err) {
		return false, nil
	}
	if err != nil || !isSeated(now.DistributionTenant, h, seat{distribution: id, group: group}) {
		return false, err
	}
	d.sweepReplaced(ctx, h)
	return true, d.readyState(h, now.DistributionTenant)
}

// seat is the place where a tenant belongs.
type seat struct {
	distribution, group string
	spread              bool // all of CloudFront knows the distribution
}

func (d *Domains) seatTenant(ctx context.Context, h anchor.Hostname, p anchor.Project, at seat) error {
	now, err := d.CloudFront.GetDistributionTenant(ctx, &cloudfront.GetDistributionTenantInput{Identifier: sdk.String(d.tenantName(h))})
	if gone(err) {
		return d.createTenant(ctx, h, p, at)
	}
	if err != nil {
		return err
	}
	t := now.DistributionTenant
	if isSeated(t, h, at) {
		return d.readyState(h, t)
	}
	if !at.spread && sdk.ToString(t.DistributionId) != at.distribution {
		// The tenant is served where it is. It moves when it can be served there.
		return settlingError("CloudFront is still spreading the distribution that %s moves to", h.Name)
	}
	customizations := types.Customizations{}
	if t.Customizations != nil {
		customizations = *t.Customizations
	}
	customizations.Certificate = &types.Certificate{Arn: sdk.String(h.CertificateARN)}
	_, err = d.CloudFront.UpdateDistributionTenant(ctx, &cloudfront.UpdateDistributionTenantInput{
		Id: t.Id, IfMatch: now.ETag, Enabled: sdk.Bool(true),
		DistributionId: sdk.String(at.distribution), ConnectionGroupId: sdk.String(at.group),
		Domains:        []types.DomainItem{{Domain: sdk.String(h.Name)}},
		Customizations: &customizations, Parameters: tenantValues(h),
	})
	if err == nil && sdk.ToString(t.DistributionId) != at.distribution {
		d.updateTag(ctx, h, p, t.Arn)
	}
	return err
}

func (d *Domains) createTenant(ctx context.Context, h anchor.Hostname, p anchor.Project, at seat) error {
	out, err := d.CloudFront.CreateDistributionTenant(ctx, &cloudfront.CreateDistributionTenantInput{
		Name: sdk.String(d.tenantName(h)), Enabled: sdk.Bool(true),
		DistributionId: sdk.String(at.distribution), ConnectionGroupId: sdk.String(at.group),
		Domains:        []types.DomainItem{{Domain: sdk.String(h.Name)}},
		Customizations: &types.Customizations{Certificate: &types.Certificate{Arn: sdk.String(h.CertificateARN)}},
		Parameters:     tenantValues(h), Tags: d.cloudFrontTags(p),
	})
	if isTaken(err) {
		return settlingError("CloudFront is making the distribution tenant of %s", h.Name)
	}
	if err != nil {
		return err
	}
	d.Log.Info("domain attached", "domain", h.Name, "tenant", sdk.ToString(out.DistributionTenant.Id))
	return d.readyState(h, out.DistributionTenant)
}

// readyState returns nil once the hostname is served. A hostname that was served before does not
// become unready during a change. A domain is inactive while CloudFront does not see that the
// certificate covers it.
func (d *Domains) readyState(h anchor.Hostname, t *types.DistributionTenant) error {
	if len(t.Domains) == 1 && t.Domains[0].Status == types.DomainStatusInactive {
		return settlingError("CloudFront has not activated %s yet", h.Name)
	}
	if isDeployed(t.Status) || h.CloudFrontStatus == anchor.EdgeDeployed {
		return nil
	}
	return settlingError("CloudFront is still spreading %s", h.Name)
}

func tenantValues(h anchor.Hostname) []types.Parameter {
	redirect, hsts := nothing, nothing
	if h.Redirect != "" {
		redirect = h.Redirect
	}
	if h.HSTS {
		hsts = "on"
	}
	return []types.Parameter{
		{Name: sdk.String(parameterRedirect), Value: sdk.String(redirect)},
		{Name: sdk.String(parameterHSTS), Value: sdk.String(hsts)},
	}
}

// isSeated reports whether the tenant matches the record.
func isSeated(t *types.DistributionTenant, h anchor.Hostname, at seat) bool {
	have := map[string]string{}
	for _, p := range t.Parameters {
		have[sdk.ToString(p.Name)] = sdk.ToString(p.Value)
	}
	for _, p := range tenantValues(h) {
		if have[*p.Name] != *p.Value {
			return false
		}
	}
	return sdk.ToBool(t.Enabled) && sdk.ToString(t.DistributionId) == at.distribution &&
		sdk.ToString(t.ConnectionGroupId) == at.group && certificateOf(t.Customizations) == h.CertificateARN &&
		len(t.Domains) == 1 && strings.EqualFold(sdk.ToString(t.Domains[0].Domain), h.Name)
}

// updateTag updates the project's tag for cost reports. Nothing depends on it.
func (d *Domains) updateTag(ctx context.Context, h anchor.Hostname, p anchor.Project, arn *string) {
	_, err := d.CloudFront.TagResource(ctx, &cloudfront.TagResourceInput{Resource: arn, Tags: d.cloudFrontTags(p)})
	if err == nil {
		err = d.tagCertificate(ctx, h, p)
	}
	if err != nil {
		d.Log.Warn("tag a moved domain", "domain", h.Name, "error", err)
	}
}

// explainConflict returns an error that names the resource that has the name, as far as CloudFront
// reveals it: it hides parts of the ids of other accounts.
func (d *Domains) explainConflict(ctx context.Context, h anchor.Hostname, distribution string, cause error) error {
	holder := "another CloudFront distribution, in this or another AWS account"
	out, err := d.CloudFront.ListDomainConflicts(ctx, &cloudfront.ListDomainConflictsInput{
		Domain:                          sdk.String(h.Name),
		DomainControlValidationResource: &types.DistributionResourceId{DistributionId: sdk.String(distribution)},
	})
	if err == nil && len(out.DomainConflicts) > 0 {
		c := out.DomainConflicts[0]
		holder = fmt.Sprintf("the CloudFront %s %s of the account %s", c.ResourceType, sdk.ToString(c.ResourceId), sdk.ToString(c.AccountId))
	}
	return anchor.Conflict("cname_already_exists", "%s is an alternate domain name of %s", h.Name, holder).Because(cause).
		Hintf("Remove it there; Anchor then attaches it here. To see where it is attached: "+
			"aws cloudfront list-domain-conflicts --domain %s --domain-control-validation-resource DistributionId=%s (API ListDomainConflicts).",
			h.Name, distribution)
}

// sweepReplaced deletes the certificates that the hostname's present one replaced. What it cannot delete
// now, the next reconciliation or Release deletes.
func (d *Domains) sweepReplaced(ctx context.Context, h anchor.Hostname) {
	arns, err := d.own(ctx, h, h.OwnCert)
	for _, arn := range arns {
		if arn != h.CertificateARN && err == nil {
			err = d.dropCertificate(ctx, arn, h.Name)
		}
	}
	if err != nil {
		d.Log.Warn("delete a replaced certificate", "domain", h.Name, "error", err)
	}
}

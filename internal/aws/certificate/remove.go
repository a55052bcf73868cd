package certificate

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// RemoveProject removes the resources that served the project's domains. Call it before the
// project's own distribution and function are removed, and after its domains are: while it has
// any, the error is a Conflict "domains_remain". CloudFront needs minutes. Until then the error
// is of KindBusy, and the next call continues.
func (d *Domains) RemoveProject(ctx context.Context, p anchor.Project) error {
	return explainFailure(d.removeDistribution(ctx, string(p.ID), p.Slug), p.Slug)
}

// Remove removes what all domains of the installation share, once there are no domains left. The
// errors are those of RemoveProject.
func (d *Domains) Remove(ctx context.Context) error {
	if err := d.removeDistribution(ctx, redirects, "redirects"); err != nil {
		return explainFailure(err, d.Installation)
	}
	if err := d.removeFunction(ctx); err != nil {
		return explainFailure(err, d.functionName())
	}
	return explainFailure(d.removeGroup(ctx), d.Installation)
}

func (d *Domains) removeDistribution(ctx context.Context, key, what string) error {
	id, err := d.findDistribution(ctx, key)
	if err != nil || id == "" {
		return err
	}
	left, err := d.anyTenant(ctx, sdk.String(id), func(types.DistributionTenantSummary) bool { return true })
	if err != nil {
		return err
	}
	if left != nil {
		name := sdk.ToString(left.Name)
		if len(left.Domains) > 0 {
			name = sdk.ToString(left.Domains[0].Domain)
		}
		return anchor.Conflict("domains_remain", "CloudFront still has domains of %s, such as %s", what, name).
			Hintf("Remove them first: anchor domains rm NAME. Those that are being removed take some minutes.")
	}
	err = d.settleWrite(ctx, func() error { return d.disableAndDelete(ctx, id, what) })
	if err == nil || gone(err) {
		d.learnDistribution(key, "")
		return nil
	}
	if awserr.Is(err, "DistributionNotDisabled", "ResourceInUse", "CannotDeleteEntityWhileInUse") {
		return settlingError("CloudFront is still taking the distribution %s of %s away", id, what)
	}
	return err
}

func (d *Domains) disableAndDelete(ctx context.Context, id, what string) error {
	now, err := d.CloudFront.GetDistribution(ctx, &cloudfront.GetDistributionInput{Id: sdk.String(id)})
	if err != nil {
		return err
	}
	etag, status := now.ETag, now.Distribution.Status
	if c := now.Distribution.DistributionConfig; sdk.ToBool(c.Enabled) {
		c.Enabled = sdk.Bool(false)
		out, err := d.CloudFront.UpdateDistribution(ctx, &cloudfront.UpdateDistributionInput{
			Id: sdk.String(id), IfMatch: etag, DistributionConfig: c,
		})
		if err != nil {
			return err
		}
		etag, status = out.ETag, out.Distribution.Status
	}
	if !isDeployed(status) {
		return settlingError("CloudFront is still taking the distribution %s of %s away", id, what)
	}
	_, err = d.CloudFront.DeleteDistribution(ctx, &cloudfront.DeleteDistributionInput{Id: sdk.String(id), IfMatch: etag})
	return err
}

func (d *Domains) removeFunction(ctx context.Context) error {
	name := sdk.String(d.functionName())
	err := d.settleWrite(ctx, func() error {
		now, err := d.CloudFront.DescribeFunction(ctx, &cloudfront.DescribeFunctionInput{Name: name, Stage: types.FunctionStageDevelopment})
		if err != nil {
			return err
		}
		_, err = d.CloudFront.DeleteFunction(ctx, &cloudfront.DeleteFunctionInput{Name: name, IfMatch: now.ETag})
		return err
	})
	switch {
	case gone(err):
		return nil
	case awserr.Is(err, "FunctionInUse"):
		return settlingError("distributions for custom domains still use the function %s", *name)
	}
	return err
}

func (d *Domains) removeGroup(ctx context.Context) error {
	err := d.settleWrite(ctx, func() error {
		now, err := d.CloudFront.GetConnectionGroup(ctx, &cloudfront.GetConnectionGroupInput{Identifier: sdk.String(d.Installation)})
		if err != nil {
			return err
		}
		group, etag := now.ConnectionGroup, now.ETag
		if sdk.ToBool(group.Enabled) {
			out, err := d.CloudFront.UpdateConnectionGroup(ctx, &cloudfront.UpdateConnectionGroupInput{
				Id: group.Id, IfMatch: etag, Enabled: sdk.Bool(false),
			})
			if err != nil {
				return err
			}
			group, etag = out.ConnectionGroup, out.ETag
		}
		if !isDeployed(group.Status) {
			return settlingError("CloudFront is still taking the connection group %s away", d.Installation)
		}
		_, err = d.CloudFront.DeleteConnectionGroup(ctx, &cloudfront.DeleteConnectionGroupInput{Id: group.Id, IfMatch: etag})
		return err
	})
	switch {
	case err == nil || gone(err):
		d.mu.Lock()
		defer d.mu.Unlock()
		d.group, d.routes = "", ""
		return nil
	case awserr.Is(err, "CannotDeleteEntityWhileInUse", "ResourceNotDisabled"):
		return settlingError("the connection group %s is still in use", d.Installation)
	}
	return err
}

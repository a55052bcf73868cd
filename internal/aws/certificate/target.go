package certificate

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Target implements domains.Front. It returns a CNAME to the installation's connection group,
// which is the same for all hostnames and does not change when one moves to another project.
func (d *Domains) Target(ctx context.Context, h anchor.Hostname) ([]anchor.DNSRecord, error) {
	_, endpoint, err := d.ensureConnection(ctx)
	if err != nil {
		return nil, explainFailure(err, h.Name)
	}
	return []anchor.DNSRecord{{Name: h.Name, Type: "CNAME", Value: endpoint}}, nil
}

// Base implements domains.Front: the domain of CloudFront's own names.
func (d *Domains) Base() string { return "cloudfront.net" }

// Issuers implements domains.Certificates (ACM, "Configure a CAA record").
func (d *Domains) Issuers() []string {
	return []string{"amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"}
}

// NeedsRecord implements domains.Certificates: ACM validates by a CNAME that it chooses.
func (d *Domains) NeedsRecord() bool { return true }

// ensureConnection finds or creates the connection group, through which all hostnames are reached.
func (d *Domains) ensureConnection(ctx context.Context) (id, endpoint string, err error) {
	d.mu.Lock()
	id, endpoint = d.group, d.routes
	d.mu.Unlock()
	if id != "" {
		return id, endpoint, nil
	}
	group, err := d.seeGroup(ctx)
	if gone(err) {
		group, err = d.makeGroup(ctx)
	}
	if err != nil {
		return "", "", err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.group, d.routes = sdk.ToString(group.Id), sdk.ToString(group.RoutingEndpoint)
	return d.group, d.routes, nil
}

func (d *Domains) seeGroup(ctx context.Context) (*types.ConnectionGroup, error) {
	out, err := d.CloudFront.GetConnectionGroup(ctx, &cloudfront.GetConnectionGroupInput{Identifier: sdk.String(d.Installation)})
	if err != nil {
		return nil, err
	}
	return out.ConnectionGroup, nil
}

func (d *Domains) makeGroup(ctx context.Context) (*types.ConnectionGroup, error) {
	out, err := d.CloudFront.CreateConnectionGroup(ctx, &cloudfront.CreateConnectionGroupInput{
		Name: sdk.String(d.Installation), Enabled: sdk.Bool(true), Ipv6Enabled: sdk.Bool(true),
		Tags: d.cloudFrontTags(anchor.Project{}),
	})
	if isTaken(err) {
		return d.seeGroup(ctx)
	}
	if err != nil {
		return nil, err
	}
	return out.ConnectionGroup, nil
}

// Package open is the composition root of the aws commands, as internal/local/server is the
// server's. They are a program of their own; internal/aws/companion explains why.
package open

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/acm"
	"github.com/aws/aws-sdk-go-v2/service/cloudfront"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	awsplatform "github.com/anchor-deploy/anchor/internal/aws"
	"github.com/anchor-deploy/anchor/internal/aws/certificate"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
	"github.com/anchor-deploy/anchor/internal/aws/front"
	"github.com/anchor-deploy/anchor/internal/aws/install"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
	"github.com/anchor-deploy/anchor/internal/aws/lambda"
	"github.com/anchor-deploy/anchor/internal/core"
	"github.com/anchor-deploy/anchor/internal/domains/dnscheck"
)

// Opener composes installations as this machine reaches them.
type Opener struct {
	Handlers fs.FS         // the handlers' code; that of this binary when nil
	Poll     time.Duration // between two reads of a stack that changes, 3 s
}

// Open is an installation.Open.
func (o Opener) Open(ctx context.Context, options installation.Options) (installation.Installation, error) {
	aws, err := install.LoadConfig(ctx, options.Profile, options.Region)
	if err != nil {
		return nil, err
	}
	r := records{aws}
	return install.New(install.Config{
		Options: options, AWS: aws, Handlers: o.Handlers, Poll: o.Poll, Projects: r, Remover: remover{aws, options.Name, r},
		Tokens: func(out installation.Outputs) install.Tokens {
			return access.New(access.Ports{Tokens: r.store(out)}, access.Options{})
		},
	})
}

// records reads an installation's records with the permissions of the caller.
type records struct{ aws sdk.Config }

func (r records) store(o installation.Outputs) *dynamo.Store {
	return dynamo.New(dynamodb.NewFromConfig(r.aws), dynamo.Tables{
		Projects: o.ProjectsTable, Deployments: o.DeploymentsTable, Domains: o.DomainsTable,
	})
}

// List implements install.Projects.
func (r records) List(ctx context.Context, o installation.Outputs) ([]anchor.Project, error) {
	var all []anchor.Project
	var page anchor.Page
	for {
		list, err := r.store(o).Projects(ctx, page)
		if err != nil {
			return nil, withoutTables(err)
		}
		all = append(all, list.Items...)
		if list.Next == "" {
			return all, nil
		}
		page.Cursor = list.Next
	}
}

// Lives implements install.Projects.
func (r records) Lives(ctx context.Context, o installation.Outputs) ([]anchor.Live, error) {
	lives, err := r.store(o).Lives(ctx)
	return lives, withoutTables(err)
}

// Settings implements install.Projects.
func (r records) Settings(ctx context.Context, o installation.Outputs, p anchor.ProjectID) (anchor.Settings, error) {
	record, err := r.store(o).ProjectSettings(ctx, p)
	return record.Effective(), withoutTables(err)
}

// withoutTables makes the error of missing tables NotFound: an interrupted destruction removed them.
func withoutTables(err error) error {
	if anchor.CodeOf(err) == "no_tables" {
		return anchor.NotFound("no_records", "the installation no longer has records").Because(err)
	}
	return err
}

// remover removes projects with the permissions of the caller.
type remover struct {
	aws     sdk.Config
	name    string // of the installation
	records records
}

// Remove implements install.Remover.
func (r remover) Remove(ctx context.Context, o installation.Outputs, p anchor.Project) (kept []string, err error) {
	store := r.records.store(o)
	key, err := awsplatform.ReadKey(ctx, r.aws, install.KeyParameter(r.name))
	if err != nil {
		return nil, err
	}
	platform, err := awsplatform.New(awsplatform.Config{
		AWS: r.aws, Installation: r.name, AssetsBucket: o.AssetsBucket, ArtifactsBucket: o.ArtifactsBucket,
		Key: key, Records: store, Settings: store, Notes: store, Crons: store, Leases: store,
	})
	if err != nil {
		return nil, err
	}
	// A removal deploys nothing, so the parts of a deployment are omitted.
	dispatch := func(_ context.Context, _ anchor.ProjectID, d anchor.DeploymentID) error {
		return fmt.Errorf("deployment %s: nothing is deployed while its installation is destroyed", d)
	}
	all := core.New(core.Parts{
		Records: store, Platform: platform, Projects: platform, Runner: lambda.NewRunner(store, store, dispatch),
		Domains: &core.Domains{
			Certificates: platform.Domains(), Front: platform.Domains(), Resolver: dnscheck.New(dnscheck.Config{}),
		},
	})
	defer all.Close()
	if err := store.RetireProject(ctx, p.ID); err != nil && !errors.Is(err, anchor.ErrNotFound) {
		return nil, err
	}
	_, err = all.Projects.FinishRemoval(ctx, p.ID)
	return nil, err
}

// RemoveShared implements install.Remover.
func (r remover) RemoveShared(ctx context.Context) (kept []string, err error) {
	edge := cloudfront.NewFromConfig(r.aws)
	domains := certificate.New(certificate.Config{ACM: acm.NewFromConfig(r.aws), CloudFront: edge, Installation: r.name})
	if err := domains.Remove(ctx); err != nil {
		return nil, err
	}
	return front.New(front.Config{CloudFront: edge, Installation: r.name}).RemoveShared(ctx)
}

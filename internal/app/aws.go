package app

import (
	"context"
	"encoding/base64"
	"fmt"
	"log/slog"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/dnscheck"
	"github.com/anchor-deploy/anchor/internal/hostname"
	awsplatform "github.com/anchor-deploy/anchor/internal/platform/aws"
	"github.com/anchor-deploy/anchor/internal/stack"
	"github.com/anchor-deploy/anchor/internal/store/dynamo"
)

// AWS is what the commands on an AWS installation are told.
type AWS struct {
	Profile, Region string // "": as the AWS SDK finds them
	Stack           stack.Config
}

// Installation composes an installation on AWS as it is reached from this machine. It
// calls nothing of AWS.
func Installation(ctx context.Context, o AWS) (*stack.Installation, error) {
	aws, err := stack.LoadConfig(ctx, o.Profile, o.Region)
	if err != nil {
		return nil, err
	}
	r := awsRecords{aws}
	c := o.Stack
	c.AWS, c.Projects, c.Remover = aws, r, awsRemover{aws, o.Stack.Name, r}
	c.Tokens = func(out stack.Outputs) stack.Tokens { return access.Service{Tokens: r.store(out)} }
	return stack.New(c)
}

// awsRecords reads an installation's records with the rights of who runs the command.
type awsRecords struct{ aws sdk.Config }

func (r awsRecords) store(o stack.Outputs) *dynamo.Store {
	return dynamo.New(dynamodb.NewFromConfig(r.aws), dynamo.Tables{
		Projects: o.ProjectsTable, Deployments: o.DeploymentsTable, Domains: o.DomainsTable,
	})
}

// List implements stack.Projects.
func (r awsRecords) List(ctx context.Context, o stack.Outputs) ([]anchor.Project, error) {
	var all []anchor.Project
	var page anchor.Page
	for {
		list, err := r.store(o).Projects(ctx, page)
		if anchor.CodeOf(err) == "no_tables" { // half of a destruction
			return nil, anchor.NotFound("no_records", "the installation has no records any more").Because(err)
		}
		if err != nil {
			return nil, err
		}
		all = append(all, list.Items...)
		if list.Next == "" {
			return all, nil
		}
		page.Cursor = list.Next
	}
}

// awsRemover removes projects with the rights of who runs the command.
type awsRemover struct {
	aws     sdk.Config
	name    string // of the installation
	records awsRecords
}

// Remove implements stack.Remover.
func (r awsRemover) Remove(ctx context.Context, o stack.Outputs, p anchor.Project) (kept []string, err error) {
	store := r.records.store(o)
	key, err := r.key(ctx)
	if err != nil {
		return nil, err
	}
	platform, err := awsplatform.New(awsplatform.Config{
		AWS: r.aws, Installation: r.name, AssetsBucket: o.AssetsBucket, ArtifactsBucket: o.ArtifactsBucket,
		FunctionRole: o.FunctionRole, Key: key, Records: store, Leases: store,
	})
	if err != nil {
		return nil, err
	}
	if err := removeDomains(ctx, platform, store, p); err != nil {
		return nil, err
	}
	if err := platform.RemoveProject(ctx, p.ID); err != nil {
		return nil, err
	}
	return nil, store.DeleteProject(ctx, p.ID)
}

// removeDomains gives the project's domains up. CloudFront and ACM let go of each some
// minutes later: until then it is Busy.
func removeDomains(ctx context.Context, platform *awsplatform.Platform, store *dynamo.Store, p anchor.Project) error {
	domains := &hostname.Service{
		Records: store, Directory: store, Certificates: platform.Domains(), Front: platform.Domains(),
		Resolver: dnscheck.New(dnscheck.Config{}), OrderFirst: true, Log: slog.Default(),
	}
	if err := domains.RemoveAll(ctx, p.ID); err != nil {
		return err
	}
	domains.Reconcile(ctx)
	left, err := store.Hostnames(ctx, p.ID, anchor.Page{Limit: 1})
	if err == nil && len(left.Items) > 0 {
		err = &anchor.Error{
			Kind: anchor.KindBusy, Code: "domains_remain", Message: "AWS is still taking " + left.Items[0].Name + " away",
			Hint: "It takes some minutes. Ask again.",
		}
	}
	return err
}

// key reads the installation's.
func (r awsRemover) key(ctx context.Context) ([]byte, error) {
	name := "/" + r.name + "/key"
	out, err := ssm.NewFromConfig(r.aws).GetParameter(ctx, &ssm.GetParameterInput{Name: &name, WithDecryption: sdk.Bool(true)})
	if err != nil {
		return nil, fmt.Errorf("read the key %s: %w", name, err)
	}
	key, err := base64.StdEncoding.DecodeString(sdk.ToString(out.Parameter.Value))
	if err != nil {
		return nil, fmt.Errorf("read the key %s: %w", name, err)
	}
	return key, nil
}

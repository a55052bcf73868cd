package app

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/access"
	"github.com/anchor-deploy/anchor/internal/anchor"
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
	c.AWS, c.Projects = aws, r
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

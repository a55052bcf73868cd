package dynamo_test

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
)

func TestMain(m *testing.M) { os.Exit(awstest.Sharing(m).Run()) }

// stand is a store on MiniStack with a project, and the records that tests create.
type stand struct {
	*testing.T
	*dynamo.Store
	ctx     context.Context
	cloud   *awstest.Cloud
	names   dynamo.Tables
	project anchor.Project
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{T: t, ctx: t.Context(), cloud: awstest.Shared(t)}
	s.names = tables(t, s.client())
	s.Store = dynamo.New(s.client(), s.names)
	s.project = s.newProject("shop")
	return s
}

func (s *stand) client() *dynamodb.Client { return dynamodb.NewFromConfig(s.cloud.Config()) }

// another returns the store of another process.
func (s *stand) another() *dynamo.Store { return dynamo.New(s.client(), s.names) }

func (s *stand) ok(err error) {
	s.Helper()
	if err != nil {
		s.Fatalf("unexpected error: %v", err)
	}
}

func (s *stand) code(err error, kind anchor.Kind, code string) {
	s.Helper()
	if err == nil || anchor.KindOf(err) != kind || anchor.CodeOf(err) != code {
		s.Errorf("error %v (%s %q), want %s %q", err, anchor.KindOf(err), anchor.CodeOf(err), kind, code)
	}
}

func (s *stand) newProject(slug string) anchor.Project {
	s.Helper()
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: slug}
	s.ok(s.CreateProject(s.ctx, p))
	return p
}

func (s *stand) fresh(status anchor.Status) anchor.Deployment {
	return anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project.ID, Status: status}
}

func (s *stand) deployment(status anchor.Status) anchor.Deployment {
	s.Helper()
	d := s.fresh(status)
	s.ok(s.CreateDeployment(s.ctx, d))
	return d
}

func releaseOf(d anchor.Deployment) anchor.Release {
	return anchor.Release{ID: anchor.ReleaseID(anchor.NewID()), ProjectID: d.ProjectID, Deployment: d.ID, Record: d.ID}
}

func (s *stand) hostname(name string) anchor.Hostname {
	return anchor.Hostname{ID: anchor.HostnameID(anchor.NewID()), ProjectID: s.project.ID, Name: name, NextCheck: 1}
}

// rows counts the items of all tables, except those that record deletions.
func (s *stand) rows() (n int) {
	s.Helper()
	for _, table := range []string{s.names.Projects, s.names.Deployments, s.names.Domains} {
		pages := dynamodb.NewScanPaginator(s.client(), &dynamodb.ScanInput{TableName: &table})
		for pages.HasMorePages() {
			out, err := pages.NextPage(s.ctx)
			s.ok(err)
			for _, it := range out.Items {
				if key, ok := it["pk"].(*types.AttributeValueMemberS); !ok || !strings.HasPrefix(key.Value, "REMOVED#") {
					n++
				}
			}
		}
	}
	return n
}

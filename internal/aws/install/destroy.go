package install

import (
	"context"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// Destroy removes the installation and everything in it. The next run removes what a killed one
// left: the key and the bucket with the code are removed last.
func (i *Installation) Destroy(ctx context.Context, o installation.DestroyOptions) (installation.Destroyed, error) {
	if err := i.identifyCaller(ctx); err != nil {
		return installation.Destroyed{}, err
	}
	s, err := i.stackState(ctx)
	if err != nil {
		return installation.Destroyed{}, err
	}
	if s.isBusy() {
		return installation.Destroyed{}, i.checkSettled(s)
	}
	if err := i.requireAny(ctx, s); err != nil {
		return installation.Destroyed{}, err
	}
	projects, err := i.listProjects(ctx, s)
	if err != nil {
		return installation.Destroyed{}, err
	}
	d := installation.Destroyed{Installation: i.Name, Account: i.account, Region: i.AWS.Region, Projects: slugsOf(projects), Kept: []string{}}
	if err := i.checkAllowed(d.Projects, o); err != nil {
		return installation.Destroyed{}, err
	}
	if d.Kept, err = i.removeProjects(ctx, s, projects); err != nil {
		return d, err
	}
	kept, err := i.removeShared(ctx)
	if d.Kept = append(d.Kept, kept...); err != nil {
		return d, err
	}
	return d, i.removeRest(ctx, s)
}

// requireAny returns NotFound when there is neither a stack nor what a stack leaves.
func (i *Installation) requireAny(ctx context.Context, s state) error {
	if s.status != "" {
		return nil
	}
	left, err := i.hasBucket(ctx, i.artifactsBucket())
	if err != nil || left {
		return err
	}
	return anchor.NotFound("no_installation", "there is no installation %s in account %s, %s", i.Name, i.account, i.AWS.Region).
		Hintf("Choose another one with --name and --region.")
}

func slugsOf(projects []anchor.Project) []string {
	all := []string{}
	for _, p := range projects {
		all = append(all, p.Slug)
	}
	return all
}

func (i *Installation) checkAllowed(projects []string, o installation.DestroyOptions) error {
	if len(projects) > 0 && (!o.Force || i.Remover == nil) {
		return anchor.Conflict("projects_live", "the installation %s still holds projects: %s", i.Name, strings.Join(projects, ", ")).
			Hintf("Remove them with anchor projects rm, or destroy all with --force.")
	}
	if o.Confirm != nil {
		return o.Confirm(projects)
	}
	return nil
}

func (i *Installation) removeProjects(ctx context.Context, s state, projects []anchor.Project) ([]string, error) {
	kept := []string{}
	for _, p := range projects {
		i.reportStep("Projects", p.Slug)
		k, err := i.untilSettled(ctx, "Projects", p.Slug+": ", func() ([]string, error) { return i.Remover.Remove(ctx, i.readOutputs(s), p) })
		kept = append(kept, k...)
		if err != nil {
			return kept, i.explainError(err, "remove the project "+p.Slug)
		}
	}
	if len(projects) > 0 {
		i.reportDone("Projects", strings.Join(slugsOf(projects), ", "))
	}
	return kept, nil
}

// untilSettled repeats remove while AWS still works on what it removes, and reports why under
// the label.
func (i *Installation) untilSettled(ctx context.Context, label, prefix string, remove func() ([]string, error)) (kept []string, err error) {
	interrupted := i.await(ctx, func() (bool, error) {
		if kept, err = remove(); anchor.KindOf(err) != anchor.KindBusy {
			return true, nil
		}
		i.reportStep(label, prefix+err.Error())
		return false, nil
	})
	if interrupted != nil {
		return kept, interrupted
	}
	return kept, err
}

func (i *Installation) removeShared(ctx context.Context) ([]string, error) {
	if i.Remover == nil {
		return nil, nil
	}
	i.reportStep("CloudFront", "what the projects shared")
	kept, err := i.untilSettled(ctx, "CloudFront", "", func() ([]string, error) { return i.Remover.RemoveShared(ctx) })
	if err != nil {
		return kept, i.explainError(err, "remove what the projects of "+i.Name+" shared")
	}
	i.reportDone("CloudFront", "removed")
	return kept, nil
}

func (i *Installation) removeRest(ctx context.Context, s state) error {
	i.reportStep("Buckets", i.assetsBucket())
	if err := i.emptyBucket(ctx, i.assetsBucket()); err != nil {
		return err
	}
	if s.status != "" {
		if err := i.deleteStack(ctx, s); err != nil {
			return err
		}
		i.reportDone("Stack", "deleted")
	}
	if err := i.deleteLogs(ctx); err != nil {
		return err
	}
	i.reportStep("Key", i.keyParameter())
	if err := i.deleteKey(ctx); err != nil {
		return err
	}
	i.reportStep("Buckets", i.artifactsBucket())
	if err := i.deleteBucket(ctx, i.artifactsBucket()); err != nil {
		return err
	}
	i.reportDone("Buckets", "deleted")
	return nil
}

// deleteStack deletes the stack and waits. It first disables the tables' protection, with which
// not even the rollback of a failed creation can delete them.
func (i *Installation) deleteStack(ctx context.Context, s state) error {
	if err := i.unprotectStack(ctx); err != nil {
		return err
	}
	since := time.Now()
	if _, err := i.formation.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &s.id}); err != nil {
		return i.explainError(err, "delete the stack "+i.Name)
	}
	after, err := i.followStack(ctx, s.id, since)
	if err != nil {
		return err
	}
	if after.status == "" || after.status == "DELETE_COMPLETE" {
		return nil
	}
	return anchor.Failed("stack_failed", "the stack %s could not be deleted (%s): %s", i.Name, after.status, i.firstFailure(ctx, s.id, since)).
		Hintf("Repair what the message names and run the command again.")
}

func (i *Installation) unprotectStack(ctx context.Context) error {
	for _, name := range i.tableNames() {
		out, err := i.tables.DescribeTable(ctx, &dynamodb.DescribeTableInput{TableName: &name})
		if awserr.Is(err, "ResourceNotFoundException") {
			continue
		}
		if err != nil {
			return i.explainError(err, "look at the table "+name)
		}
		if !sdk.ToBool(out.Table.DeletionProtectionEnabled) {
			continue
		}
		_, err = i.tables.UpdateTable(ctx, &dynamodb.UpdateTableInput{TableName: &name, DeletionProtectionEnabled: sdk.Bool(false)})
		if err != nil {
			return i.explainError(err, "take the deletion protection off the table "+name)
		}
	}
	return nil
}

// deleteLogs deletes the log groups that the sites' functions created.
func (i *Installation) deleteLogs(ctx context.Context) error {
	pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(i.logs, &cloudwatchlogs.DescribeLogGroupsInput{
		LogGroupNamePrefix: sdk.String("/aws/lambda/" + i.Name + "-"),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return i.explainError(err, "list the log groups of "+i.Name)
		}
		for _, g := range page.LogGroups {
			_, err := i.logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: g.LogGroupName})
			if err != nil && !awserr.Is(err, "ResourceNotFoundException") {
				return i.explainError(err, "delete the log group "+sdk.ToString(g.LogGroupName))
			}
		}
	}
	return nil
}

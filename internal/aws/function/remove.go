package function

import (
	"context"
	"errors"
	"path"
	"slices"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Remove removes the deployment's aliases, their URLs and its versions, also those of a
// deployment that failed half-way. Requests in flight are not disturbed: Lambda lets running
// invocations of a deleted version finish. The code stays in the artifacts bucket until the
// project is removed, since other deployments may have the same. It is idempotent, and refuses to
// remove the live deployment.
func (f *Functions) Remove(ctx context.Context, p anchor.Project, d anchor.Deployment) error {
	functions, err := f.listFunctions(ctx, p)
	if err != nil {
		return err
	}
	if err := f.checkNotLive(ctx, p, d.ID); err != nil {
		return err
	}
	for _, function := range functions {
		if err := f.removeFrom(ctx, function, d.ID); err != nil {
			return explainFailure(err, "remove deployment %s from function %s", d.ID, function)
		}
	}
	return nil
}

// checkNotLive reads the server function's live alias, which names what is live once it follows a
// revision of the pointer; Open creates it before.
func (f *Functions) checkNotLive(ctx context.Context, p anchor.Project, d anchor.DeploymentID) error {
	function := f.functionName(p, anchor.ServerFunction)
	live, err := f.readLive(ctx, function)
	if err != nil {
		return explainFailure(err, "read what is live of function %s", function)
	}
	versions, err := f.versionsOf(ctx, function, d)
	if err != nil {
		return explainFailure(err, "list the versions of function %s", function)
	}
	if live.revision > 0 && slices.Contains(versions, live.version) {
		return anchor.Conflict("deployment_live", "deployment %s is live: version %s of function %s", d, live.version, function).
			Hintf("Release another deployment first: `anchor promote`.")
	}
	return nil
}

// removeFrom keeps a version that the function's live alias still names although another
// deployment is live: that of a split function which later deployments do not have.
func (f *Functions) removeFrom(ctx context.Context, function string, d anchor.DeploymentID) error {
	versions, err := f.versionsOf(ctx, function, d)
	if len(versions) == 0 || err != nil {
		return err
	}
	live, err := f.readLive(ctx, function)
	if err != nil {
		return err
	}
	if err := f.removeAlias(ctx, function, deploymentAlias(d)); err != nil {
		return err
	}
	for _, version := range versions {
		if version == live.version {
			continue
		}
		_, err := f.Lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &function, Qualifier: &version})
		if err != nil && !isMissing(err) {
			return err
		}
	}
	return nil
}

// versionsOf returns the versions that were published for a deployment: one, or more when crashed
// runs left theirs.
func (f *Functions) versionsOf(ctx context.Context, function string, d anchor.DeploymentID) ([]string, error) {
	var versions []string
	pages := lambda.NewListVersionsByFunctionPaginator(f.Lambda, &lambda.ListVersionsByFunctionInput{FunctionName: &function})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if isMissing(err) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, v := range page.Versions {
			if sdk.ToString(v.Version) != "$LATEST" && v.Environment != nil && v.Environment.Variables[deploymentEnv] == string(d) {
				versions = append(versions, sdk.ToString(v.Version))
			}
		}
	}
	return versions, nil
}

// removeAlias deletes the URL first, so that no request reaches what is about to be deleted.
func (f *Functions) removeAlias(ctx context.Context, function, alias string) error {
	_, err := f.Lambda.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: &function, Qualifier: &alias})
	if err != nil && !isMissing(err) {
		return err
	}
	for _, statement := range []*string{urlStatement(alias), invokeStatement(alias)} {
		_, err := f.Lambda.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: &function, Qualifier: &alias, StatementId: statement})
		if err != nil && !isMissing(err) {
			return err
		}
	}
	_, err = f.Lambda.DeleteAlias(ctx, &lambda.DeleteAliasInput{FunctionName: &function, Name: &alias})
	if isMissing(err) {
		return nil
	}
	return err
}

// RemoveProject removes all functions of a project, its queue and its zips. It is idempotent.
func (f *Functions) RemoveProject(ctx context.Context, p anchor.Project) error {
	functions, err := f.listFunctions(ctx, p)
	if err != nil {
		return err
	}
	for _, function := range functions {
		if err := f.removeFunction(ctx, function); err != nil {
			return explainFailure(err, "remove function %s", function)
		}
	}
	if err := f.removeQueue(ctx, p); err != nil {
		return explainFailure(err, "remove the queue %s", f.queueName(p))
	}
	return explainFailure(f.removeCode(ctx, p.ID), "remove the code of project %s from the bucket %s", p.Slug, f.ArtifactsBucket)
}

func (f *Functions) removeFunction(ctx context.Context, function string) error {
	mappings, err := f.listMappings(ctx, function+":"+anchor.LiveAlias)
	if err != nil && !isMissing(err) {
		return err
	}
	for _, m := range mappings {
		_, err := f.Lambda.DeleteEventSourceMapping(ctx, &lambda.DeleteEventSourceMappingInput{UUID: m.UUID})
		if err != nil && !isMissing(err) && !isConflict(err) { // a conflict means that it is being deleted
			return err
		}
	}
	if err := f.removeURLs(ctx, function); err != nil {
		return err
	}
	// Before the function: without the function nobody would find its log. A request in flight
	// may create the log once more.
	if err := f.removeLog(ctx, function); err != nil {
		return err
	}
	_, err = f.Lambda.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: &function})
	if isMissing(err) {
		return nil
	}
	return err
}

// removeLog deletes the function's log, which is kept forever otherwise.
func (f *Functions) removeLog(ctx context.Context, function string) error {
	_, err := f.Logs.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: sdk.String(logGroup(function))})
	if missing := (*logtypes.ResourceNotFoundException)(nil); errors.As(err, &missing) {
		return nil
	}
	return err
}

// removeURLs deletes the URLs before the function, so that a crash in between leaves none that
// nobody would find.
func (f *Functions) removeURLs(ctx context.Context, function string) error {
	aliases := lambda.NewListAliasesPaginator(f.Lambda, &lambda.ListAliasesInput{FunctionName: &function})
	for aliases.HasMorePages() {
		page, err := aliases.NextPage(ctx)
		if isMissing(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, a := range page.Aliases {
			_, err := f.Lambda.DeleteFunctionUrlConfig(ctx, &lambda.DeleteFunctionUrlConfigInput{FunctionName: &function, Qualifier: a.Name})
			if err != nil && !isMissing(err) {
				return err
			}
		}
	}
	return nil
}

func (f *Functions) removeQueue(ctx context.Context, p anchor.Project) error {
	url, err := f.queueURL(ctx, f.queueName(p))
	if url == "" || err != nil {
		return err
	}
	_, err = f.SQS.DeleteQueue(ctx, &sqs.DeleteQueueInput{QueueUrl: &url})
	return err
}

func (f *Functions) removeCode(ctx context.Context, p anchor.ProjectID) error {
	pages := s3.NewListObjectsV2Paginator(f.S3, &s3.ListObjectsV2Input{
		Bucket: &f.ArtifactsBucket, Prefix: sdk.String(path.Join("functions", string(p)) + "/"),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return err
		}
		var objects []s3types.ObjectIdentifier
		for _, object := range page.Contents {
			objects = append(objects, s3types.ObjectIdentifier{Key: object.Key})
		}
		if err := f.removeObjects(ctx, objects); err != nil {
			return err
		}
	}
	return nil
}

// mostDeleted is how many keys DeleteObjects accepts.
const mostDeleted = 1000

func (f *Functions) removeObjects(ctx context.Context, objects []s3types.ObjectIdentifier) error {
	for some := range slices.Chunk(objects, mostDeleted) {
		out, err := f.S3.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &f.ArtifactsBucket, Delete: &s3types.Delete{Objects: some, Quiet: sdk.Bool(true)},
		})
		if err != nil {
			return err
		}
		if len(out.Errors) > 0 {
			return errors.New(sdk.ToString(out.Errors[0].Key) + ": " + sdk.ToString(out.Errors[0].Message))
		}
	}
	return nil
}

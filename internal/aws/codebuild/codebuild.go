// Package codebuild builds commits with AWS CodeBuild, in the installation's CodeBuild project.
// Its buildspec sends the result to the deploy handler.
package codebuild

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Records keeps what the Builder notes of a build, and knows its deployment.
type Records interface {
	// Deployment returns one deployment or ErrNotFound.
	Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error)
	// BuildNote returns what PutBuildNote wrote last for the deployment, "" without a note.
	BuildNote(ctx context.Context, id anchor.DeploymentID) (string, error)
	// PutBuildNote replaces the note of a deployment, durable on return; ErrNotFound without the deployment.
	PutBuildNote(ctx context.Context, id anchor.DeploymentID, text string) error
}

// Builder starts, stops and shows builds.
type Builder struct {
	Client     *codebuild.Client
	Parameters *ssm.Client
	Logs       *cloudwatchlogs.Client
	Records    Records
	Project    string        // of CodeBuild
	Prefix     string        // of the parameters that hold the variables of builds, "/<installation>/builds/"
	Key        []byte        // the installation's
	Caches     string        // bucket that keeps the caches of builds
	CodeCommit []string      // ARNs of the CodeCommit repositories that builds may clone
	Region     string        // of the installation
	Pause      time.Duration // between two reads of a log that is followed; 0 means 2 s
	Settle     time.Duration // how late CloudWatch may show a line; 0 means 6 s
}

// LogGroup returns the log group of the builds, as the template names it.
func (b Builder) LogGroup() string { return "/aws/codebuild/" + b.Project }

// Build starts the build of d. The deployment's id is the idempotency token: within five minutes
// (StartBuild, idempotencyToken) a second call returns the same build. env holds the app's
// variables, which are hidden from users who may read the account's builds; Forget deletes them.
func (b Builder) Build(ctx context.Context, p anchor.Project, d anchor.Deployment, s deploy.Source, env map[string]string) error {
	kind, err := b.kindOf(s.Repository)
	if err != nil {
		return err
	}
	if err := b.hideVariables(ctx, d.ID, env); err != nil {
		return err
	}
	if err := b.putNote(ctx, d.ID, note{Repository: s.Repository}); err != nil {
		return err
	}
	started, err := b.Client.StartBuild(ctx, &codebuild.StartBuildInput{
		ProjectName:                  sdk.String(b.Project),
		IdempotencyToken:             sdk.String(string(d.ID)),
		SourceTypeOverride:           kind,
		SourceLocationOverride:       sdk.String(s.Repository),
		SourceVersion:                sdk.String(s.Version),
		EnvironmentVariablesOverride: b.buildVariables(p, d, env),
		CacheOverride:                b.cacheOf(p.ID),
		// The stream is named by the deployment: <deploymentId>/<uuid of the build>.
		LogsConfigOverride: &types.LogsConfig{CloudWatchLogs: &types.CloudWatchLogsConfig{
			Status: types.LogsConfigStatusTypeEnabled, GroupName: sdk.String(b.LogGroup()), StreamName: sdk.String(string(d.ID)),
		}},
	})
	if err != nil {
		err = b.explainFailure(s, err)
		if refused := (*anchor.Error)(nil); errors.As(err, &refused) { // any other failure leaves open whether it runs
			err = errors.Join(err, b.Forget(ctx, d.ID))
		}
		return err
	}
	if started.Build == nil {
		return nil
	}
	return b.putNote(ctx, d.ID, note{Repository: s.Repository, Build: sdk.ToString(started.Build.Id)})
}

// cacheOf returns where CodeBuild keeps the caches of a project's builds (CodeBuild User Guide, "Amazon S3
// caching"). All builds have the same role, so the path has a part that the scripts of other projects
// cannot guess: what one project keeps must not reach the build of another. The bucket expires caches.
func (b Builder) cacheOf(p anchor.ProjectID) *types.ProjectCache {
	return &types.ProjectCache{Type: types.CacheTypeS3, Location: sdk.String(b.Caches + "/" + CachePrefix + string(p) + "/" + b.sign("cache", string(p)))}
}

// CachePrefix begins the keys of the caches of builds.
const CachePrefix = "build-cache/"

// Cancel stops the build of a deployment. A build that has ended, or never started, is not an error.
func (b Builder) Cancel(ctx context.Context, id anchor.DeploymentID) error {
	n, err := b.note(ctx, id)
	if err != nil || n.Build == "" {
		return err
	}
	_, err = b.Client.StopBuild(ctx, &codebuild.StopBuildInput{Id: &n.Build})
	switch {
	case err == nil, awserr.Is(err, "ResourceNotFoundException"), awserr.Is(err, "InvalidInputException"): // it has ended
		return nil
	case awserr.Denied(err):
		return anchor.Failed("access_denied", "the handler's role may not stop builds of %s", b.Project).
			Hintf("Grant it codebuild:StopBuild: run anchor aws bootstrap again.").Because(err)
	}
	return fmt.Errorf("stop the build %s: %w", n.Build, err)
}

// AccessHint implements deploy.Builder.
func (b Builder) AccessHint() string {
	return "For a private repository, give CodeBuild access to it: " + accessDoc
}

// accessDoc describes how builds get access to private repositories.
const accessDoc = "https://github.com/anchor-deploy/anchor/blob/main/docs/aws.md#private-repositories"

// Check implements deploy.Builder.
func (b Builder) Check(s deploy.Source) error {
	_, err := b.kindOf(s.Repository)
	return err
}

// hosts holds the hosts whose repositories CodeBuild can clone without a connection of their own
// (ProjectSource, type).
var hosts = map[string]types.SourceType{
	"github.com": types.SourceTypeGithub, "gitlab.com": types.SourceTypeGitlab, "bitbucket.org": types.SourceTypeBitbucket,
}

func (b Builder) kindOf(repository string) (types.SourceType, error) {
	at, err := url.Parse(repository)
	if err != nil {
		return "", anchor.Invalid("bad_repository", "%q is not a URL", repository).Hintf("Send the https URL to clone.").Because(err)
	}
	host := strings.ToLower(at.Hostname())
	if kind, ok := hosts[host]; ok {
		return kind, nil
	}
	if region, ok := codeCommitRegion(host); ok {
		return types.SourceTypeCodecommit, b.checkCodeCommit(region, at.Path)
	}
	return "", anchor.Invalid("bad_repository", "CodeBuild cannot clone from %s", host).
		Hintf("CodeBuild clones from github.com, gitlab.com, bitbucket.org and CodeCommit. For other hosts, build elsewhere and run: anchor deploy --prebuilt")
}

// codeCommitRegion returns the region of a host of CodeCommit: git-codecommit.<region>.amazonaws.com.
func codeCommitRegion(host string) (region string, ok bool) {
	rest, begins := strings.CutPrefix(host, "git-codecommit.")
	region, ends := strings.CutSuffix(rest, ".amazonaws.com")
	return region, begins && ends && region != ""
}

// checkCodeCommit refuses a repository that the role of the builds may not pull: any build script has that
// role, so it may pull only what the installation's setting names.
func (b Builder) checkCodeCommit(region, path string) error {
	name, ok := strings.CutPrefix(path, "/v1/repos/")
	if !ok || name == "" || strings.Contains(name, "/") {
		return anchor.Invalid("bad_repository", "%q is not the path of a CodeCommit repository", path).
			Hintf("Send the https URL to clone: https://git-codecommit.%s.amazonaws.com/v1/repos/NAME", b.Region)
	}
	if region != b.Region {
		return anchor.Invalid("bad_repository", "the CodeCommit repository %s is in %s; builds run in %s and clone from there only", name, region, b.Region).
			Hintf("Use a repository in %s, or build elsewhere and run: anchor deploy --prebuilt", b.Region)
	}
	for _, arn := range b.CodeCommit {
		if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 && parts[3] == region && parts[5] == name {
			return nil
		}
	}
	return anchor.Invalid("repository_not_allowed", "builds may not clone the CodeCommit repository %s", name).
		Hintf("Allow it, beside the others: anchor aws bootstrap --set BuildRepositories=arn:aws:codecommit:%s:ACCOUNT:%s", region, name)
}

func (b Builder) explainFailure(s deploy.Source, err error) error {
	switch {
	case awserr.Denied(err):
		return anchor.Failed("access_denied", "the role of the API may not start builds in %s", b.Project).
			Hintf("Grant it codebuild:StartBuild: run anchor aws bootstrap again.").Because(err)
	case awserr.Is(err, "ResourceNotFoundException"):
		return anchor.Failed("no_build_project", "the CodeBuild project %s does not exist", b.Project).
			Hintf("Run anchor aws bootstrap again.").Because(err)
	case awserr.Is(err, "AccountLimitExceededException"):
		e := &anchor.Error{Kind: anchor.KindBusy, Code: "too_many_builds", Message: "the account runs as many builds as it may", Err: err}
		return e.Hintf("Try again when a build has ended, or request a higher quota.")
	case awserr.Is(err, "InvalidInputException"):
		return anchor.Invalid("build_refused", "CodeBuild does not build %s of %s", s.Version, s.Repository).
			Hintf("%s", b.AccessHint()).Because(err)
	}
	return fmt.Errorf("start a build in %s: %w", b.Project, err)
}

// Package codebuild builds commits with AWS CodeBuild, in the installation's CodeBuild project.
// Its buildspec sends the result to the deploy handler.
package codebuild

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Builder starts builds.
type Builder struct {
	Client     *codebuild.Client
	Parameters *ssm.Client
	Project    string // of CodeBuild
	Prefix     string // of the parameters that hold the variables of builds, "/<installation>/builds/"
	Key        []byte // the installation's
}

// Build starts the build of d. The deployment's id is the idempotency token: within five minutes
// (StartBuild, idempotencyToken) a second call returns the same build. env holds the app's
// variables, which are hidden from users who may read the account's builds; Forget deletes them.
func (b Builder) Build(ctx context.Context, p anchor.Project, d anchor.Deployment, s deploy.Source, env map[string]string) error {
	kind, err := sourceOf(s.Repository)
	if err != nil {
		return err
	}
	if err := b.hideVariables(ctx, d.ID, env); err != nil {
		return err
	}
	_, err = b.Client.StartBuild(ctx, &codebuild.StartBuildInput{
		ProjectName:                  sdk.String(b.Project),
		IdempotencyToken:             sdk.String(string(d.ID)),
		SourceTypeOverride:           kind,
		SourceLocationOverride:       sdk.String(s.Repository),
		SourceVersion:                sdk.String(s.Version),
		EnvironmentVariablesOverride: b.buildVariables(p, d, env),
	})
	if err != nil {
		err = b.explainFailure(s, err)
		if refused := (*anchor.Error)(nil); errors.As(err, &refused) { // any other failure leaves open whether it runs
			err = errors.Join(err, b.Forget(ctx, d.ID))
		}
		return err
	}
	return nil
}

// accessCommand lets CodeBuild clone private repositories.
const accessCommand = "aws codebuild import-source-credentials"

// AccessHint implements deploy.Builder.
func (b Builder) AccessHint() string {
	return "For a private repository give CodeBuild access to it: " + accessCommand
}

// hosts holds the hosts whose repositories CodeBuild can clone without a connection of their own
// (ProjectSource, type).
var hosts = map[string]types.SourceType{
	"github.com": types.SourceTypeGithub, "gitlab.com": types.SourceTypeGitlab, "bitbucket.org": types.SourceTypeBitbucket,
}

func sourceOf(repository string) (types.SourceType, error) {
	at, err := url.Parse(repository)
	if err != nil {
		return "", anchor.Invalid("bad_repository", "%q is not a URL", repository).Hintf("Send the https URL to clone.").Because(err)
	}
	host := strings.ToLower(at.Hostname())
	if kind, ok := hosts[host]; ok {
		return kind, nil
	}
	if strings.HasPrefix(host, "git-codecommit.") && strings.HasSuffix(host, ".amazonaws.com") {
		return types.SourceTypeCodecommit, nil
	}
	return "", anchor.Invalid("bad_repository", "CodeBuild cannot clone from %s", host).
		Hintf("CodeBuild clones from github.com, gitlab.com, bitbucket.org and CodeCommit. For other hosts, build elsewhere and run: anchor deploy --prebuilt")
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

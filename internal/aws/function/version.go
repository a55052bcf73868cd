package function

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/retry"
)

type configuration = lambda.GetFunctionConfigurationOutput

// ensureVersion publishes $LATEST once it holds the deployment's code and configuration. Lambda refuses
// when either has changed since they were compared; then it compares them again. After a crash,
// the same call returns the version that was published before it.
func (j *job) ensureVersion(ctx context.Context) (number string, err error) {
	err = retry.Do(ctx, j.writes(), func() error {
		latest, err := j.updateLatest(ctx)
		if err != nil {
			return err
		}
		out, err := j.Lambda.PublishVersion(ctx, &lambda.PublishVersionInput{
			FunctionName: &j.function, CodeSha256: &j.code.sum, RevisionId: latest.RevisionId,
			Description: sdk.String("deployment " + string(j.deployment)),
		})
		switch {
		case err == nil:
			number = sdk.ToString(out.Version)
			return nil
		case isStale(err), isConflict(err):
			return retry.Again(j.unsettledError("it changes before it can be published"))
		}
		return err
	})
	if err != nil {
		return "", err
	}
	return number, j.awaitActive(ctx, number)
}

// awaitActive waits until a version can be invoked.
func (j *job) awaitActive(ctx context.Context, number string) error {
	err := retry.Poll(ctx, j.reads(maxRounds), func() (known bool, err error) {
		have, err := j.awaitSettled(ctx, j.function, number)
		switch {
		case isMissing(err): // not known everywhere yet
			return false, nil
		case err != nil:
			return false, err
		case brokenReason(have) != "":
			return false, anchor.Failed("version_failed", "version %s of function %s does not start: %s", number, j.function, brokenReason(have)).
				Hintf("Deploy again. Live traffic was not affected.")
		}
		return true, nil
	})
	if errors.Is(err, retry.ErrNotReady) {
		return j.unsettledError("its version " + number + " does not appear")
	}
	return err
}

// updateLatest updates $LATEST to the deployment's code and configuration, and returns its state in
// Lambda. Each round reads, and writes the first thing that differs. So it continues from
// wherever an earlier run ended, and a stale read costs only a round, since Lambda refuses its
// RevisionId.
func (j *job) updateLatest(ctx context.Context) (*configuration, error) {
	wrote := false
	for round := range maxRounds {
		have, err := j.awaitSettled(ctx, j.function, "")
		switch {
		case isMissing(err):
			err = j.createFunction(ctx)
		case err != nil:
			return nil, err
		case sdk.ToString(have.Description) != projectMark(j.project.ID):
			return nil, j.checkForeign(have)
		case brokenReason(have) != "" && wrote:
			return nil, anchor.Failed("function_failed", "Lambda cannot prepare the function %s: %s", j.function, brokenReason(have)).
				Hintf("Deploy again. Live traffic was not affected.")
		case brokenReason(have) != "" || !j.hasCode(have):
			wrote = true
			err = j.updateCode(ctx, have)
		case !j.hasConfiguration(have):
			err = j.updateConfiguration(ctx, have)
		default:
			return have, nil
		}
		if err == nil {
			continue
		}
		if !isConflict(err) && !isStale(err) && !isYoungRole(err) {
			return nil, err
		}
		if err := j.pauseRound(ctx, round); err != nil {
			return nil, err
		}
	}
	return nil, j.unsettledError("it does not keep the deployment's code and environment")
}

func (j *job) checkForeign(have *configuration) error {
	return anchor.Conflict("function_name_taken", "the function %s belongs to something else: %s", j.function, sdk.ToString(have.Description)).
		Hintf("Delete that function, or rename %s of this project.", j.name)
}

func (j *job) createFunction(ctx context.Context) error {
	_, err := j.Lambda.CreateFunction(ctx, &lambda.CreateFunctionInput{
		FunctionName: &j.function, Description: sdk.String(projectMark(j.project.ID)), Tags: j.tagsOf(j.project),
		Code:          &types.FunctionCode{S3Bucket: &j.ArtifactsBucket, S3Key: &j.code.key},
		Architectures: []types.Architecture{j.arch},
		Runtime:       j.shape.runtime, Handler: sdk.String(j.lambdaHandler()), Role: &j.shape.role,
		MemorySize: &j.shape.memory, Timeout: &j.shape.timeout,
		Environment: &types.Environment{Variables: j.vars},
		VpcConfig:   j.shape.network(nil), TracingConfig: j.shape.traces(nil), KMSKeyArn: j.shape.key(nil), Layers: j.shape.stack(nil),
	})
	return err
}

func (j *job) hasCode(have *configuration) bool {
	return sdk.ToString(have.CodeSha256) == j.code.sum && slices.Equal(have.Architectures, []types.Architecture{j.arch})
}

func (j *job) updateCode(ctx context.Context, have *configuration) error {
	_, err := j.Lambda.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{
		FunctionName: &j.function, S3Bucket: &j.ArtifactsBucket, S3Key: &j.code.key,
		Architectures: []types.Architecture{j.arch}, RevisionId: have.RevisionId,
	})
	return err
}

func (j *job) hasConfiguration(have *configuration) bool {
	var vars map[string]string
	if have.Environment != nil {
		vars = have.Environment.Variables
	}
	return maps.Equal(vars, j.vars) && sdk.ToString(have.Handler) == j.lambdaHandler() && j.shape.covers(have)
}

func (j *job) updateConfiguration(ctx context.Context, have *configuration) error {
	_, err := j.Lambda.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{
		FunctionName: &j.function, Runtime: j.shape.runtime, Handler: sdk.String(j.lambdaHandler()), Role: &j.shape.role,
		MemorySize: &j.shape.memory, Timeout: &j.shape.timeout,
		Environment: &types.Environment{Variables: j.vars}, RevisionId: have.RevisionId,
		VpcConfig: j.shape.network(have), TracingConfig: j.shape.traces(have), KMSKeyArn: j.shape.key(have), Layers: j.shape.stack(have),
	})
	return err
}

// versionARN returns the ARN with the version's number. Lambda's answer has the qualifier of the
// request.
func versionARN(have *configuration, version string) string {
	parts := strings.Split(sdk.ToString(have.FunctionArn), ":")
	if len(parts) > 7 {
		parts = parts[:7] // arn:aws:lambda:region:account:function:name
	}
	return strings.Join(append(parts, version), ":")
}

package codebuild

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/codebuild/types"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	ssmtypes "github.com/aws/aws-sdk-go-v2/service/ssm/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// The variables of a build besides those of package deploy.
const (
	// HiddenVariable holds the app's variables: a JSON object in base64, because Systems Manager
	// refuses "{{" in a value.
	HiddenVariable = "ANCHOR_BUILD_ENV"
	// SlugVariable holds the project's slug, by which an anchor.json may name it.
	SlugVariable = "ANCHOR_PROJECT_SLUG"
)

// maxHidden is the size limit of a parameter of the advanced tier, in bytes (Systems Manager,
// "Managing parameter tiers").
const maxHidden = 8 << 10

func (b Builder) parameterName(d anchor.DeploymentID) *string {
	return sdk.String(b.Prefix + string(d))
}

// buildVariables returns the variables that identify the deployment to the build and locate the app's
// variables. A repeated call must be equal byte by byte, otherwise its token is refused.
func (b Builder) buildVariables(p anchor.Project, d anchor.Deployment, env map[string]string) []types.EnvironmentVariable {
	variable := func(name string, value *string, kind types.EnvironmentVariableType) types.EnvironmentVariable {
		return types.EnvironmentVariable{Name: sdk.String(name), Value: value, Type: kind}
	}
	all := []types.EnvironmentVariable{
		variable(deploy.DeploymentVariable, sdk.String(string(d.ID)), types.EnvironmentVariableTypePlaintext),
		variable(deploy.ProjectVariable, sdk.String(string(p.ID)), types.EnvironmentVariableTypePlaintext),
		variable(SlugVariable, sdk.String(p.Slug), types.EnvironmentVariableTypePlaintext),
		variable(deploy.ProofVariable, sdk.String(b.proof(p.ID, d.ID)), types.EnvironmentVariableTypePlaintext),
	}
	if len(env) > 0 {
		all = append(all, variable(HiddenVariable, b.parameterName(d.ID), types.EnvironmentVariableTypeParameterStore))
	}
	return all
}

// hideVariables stores the app's variables where the build reads them. CodeBuild shows the parameter's
// name and masks its value in the log.
func (b Builder) hideVariables(ctx context.Context, d anchor.DeploymentID, env map[string]string) error {
	if len(env) == 0 {
		return nil
	}
	text, err := encodeVariables(env)
	if err != nil {
		return err
	}
	_, err = b.Parameters.PutParameter(ctx, &ssm.PutParameterInput{
		Name: b.parameterName(d), Value: &text, Type: ssmtypes.ParameterTypeSecureString, Overwrite: sdk.Bool(true),
		Tier: ssmtypes.ParameterTierIntelligentTiering, Description: sdk.String("Anchor: variables of one build, deleted when it ends"),
	})
	return parameterFailed(err, "keep the variables of the build", "ssm:PutParameter")
}

// Forget deletes what Build stored for the build of d. Idempotent.
func (b Builder) Forget(ctx context.Context, d anchor.DeploymentID) error {
	_, err := b.Parameters.DeleteParameter(ctx, &ssm.DeleteParameterInput{Name: b.parameterName(d)})
	if missing := (*ssmtypes.ParameterNotFound)(nil); errors.As(err, &missing) {
		return nil
	}
	return parameterFailed(err, "delete the variables of the build", "ssm:DeleteParameter")
}

func parameterFailed(err error, what, action string) error {
	if err == nil {
		return nil
	}
	if awserr.Denied(err) {
		return anchor.Failed("access_denied", "the handler's role may not %s", what).
			Hintf("Grant it %s: run anchor aws bootstrap again.", action).Because(err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// encodeVariables returns the value of HiddenVariable.
func encodeVariables(env map[string]string) (string, error) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if strings.HasPrefix(name, "CODEBUILD_") || strings.HasPrefix(name, "AWS_") { // with AWS_* the build stores its result
			return "", anchor.Invalid("reserved_env", "the variable %s is CodeBuild's own", name).
				Hintf("Rename it, or set it for run time only: anchor env set NAME=VALUE --for run")
		}
	}
	content, err := json.Marshal(env)
	if err != nil {
		return "", fmt.Errorf("encode the variables of the build: %w", err)
	}
	encoded := base64.StdEncoding.EncodeToString(content)
	if len(encoded) > maxHidden {
		return "", anchor.TooLarge("build_env_too_large", "the variables of the build have %d bytes; %d are possible", len(content), maxHidden/4*3).
			Hintf("Set variables that are needed only at run time with: anchor env set NAME=VALUE --for run")
	}
	return encoded, nil
}

package function

import (
	"context"
	"errors"
	"maps"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Called returns the names in Lambda of the functions of an artifact.
func (f *Functions) Called(a deploy.Artifact) []string {
	var names []string
	for _, p := range f.partsOf(a) {
		names = append(names, p.function)
	}
	return names
}

// QueueName returns the name of the project's queue.
func (f *Functions) QueueName(p anchor.Project) string { return f.queueName(p) }

// NamesOf returns the names in Lambda of the functions that a project has, each with its name in the
// build.
func (f *Functions) NamesOf(ctx context.Context, p anchor.Project) (map[string]string, error) {
	functions, err := f.listFunctions(ctx, p)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, function := range functions {
		names[function] = f.nameOf(p, function)
	}
	return names, nil
}

// Apply gives a function in Lambda the settings that are not part of a version: log retention, the key
// of the log, reserved and provisioned concurrency, and tags. before are those that it has; what they have and now
// has not goes back to its default. What others have set stays.
func (f *Functions) Apply(ctx context.Context, function, name string, before, now anchor.Settings) error {
	return errors.Join(
		explainFailure(f.applyRetention(ctx, function, before, now), "set how long the log of function %s is kept", function),
		explainFailure(f.applyLogKey(ctx, function, before, now), "set the key of the log of function %s", function),
		explainFailure(f.applyConcurrency(ctx, function, before.Of(name), now.Of(name)), "reserve concurrency for function %s", function),
		explainFailure(f.applyProvisioned(ctx, function, before.Of(name), now.Of(name)), "keep instances of function %s started", function),
		explainFailure(f.applyTags(ctx, function, before.Tags, now.Tags), "tag function %s", function),
	)
}

func (f *Functions) applyRetention(ctx context.Context, function string, before, now anchor.Settings) error {
	days := now.LogRetentionDays
	if days == before.LogRetentionDays {
		return nil
	}
	if days == 0 {
		if days = int32(f.LogDays); days == 0 {
			return nil
		}
	}
	return f.ensureRetention(ctx, logGroup(function), days)
}

func (f *Functions) applyLogKey(ctx context.Context, function string, before, now anchor.Settings) error {
	group := sdk.String(logGroup(function))
	switch {
	case now.KMSKey == before.KMSKey:
		return nil
	case now.KMSKey != "":
		_, err := f.Logs.AssociateKmsKey(ctx, &cloudwatchlogs.AssociateKmsKeyInput{LogGroupName: group, KmsKeyId: &now.KMSKey})
		return err
	}
	_, err := f.Logs.DisassociateKmsKey(ctx, &cloudwatchlogs.DisassociateKmsKeyInput{LogGroupName: group})
	return err
}

func (f *Functions) applyConcurrency(ctx context.Context, function string, before, now anchor.FunctionSettings) error {
	switch {
	case now.ReservedConcurrency == before.ReservedConcurrency:
		return nil
	case now.ReservedConcurrency > 0:
		_, err := f.Lambda.PutFunctionConcurrency(ctx, &lambda.PutFunctionConcurrencyInput{
			FunctionName: &function, ReservedConcurrentExecutions: &now.ReservedConcurrency,
		})
		return err
	}
	_, err := f.Lambda.DeleteFunctionConcurrency(ctx, &lambda.DeleteFunctionConcurrencyInput{FunctionName: &function})
	return err
}

// applyProvisioned sets how many instances of the live version Lambda keeps started. The alias has them, so that
// Lambda moves them with it; until they have started, the instances that Prepare started answer.
func (f *Functions) applyProvisioned(ctx context.Context, function string, before, now anchor.FunctionSettings) error {
	live := sdk.String(anchor.LiveAlias)
	switch {
	case now.ProvisionedConcurrency == before.ProvisionedConcurrency:
		return nil
	case now.ProvisionedConcurrency > 0:
		_, err := f.Lambda.PutProvisionedConcurrencyConfig(ctx, &lambda.PutProvisionedConcurrencyConfigInput{
			FunctionName: &function, Qualifier: live, ProvisionedConcurrentExecutions: &now.ProvisionedConcurrency,
		})
		return err
	}
	_, err := f.Lambda.DeleteProvisionedConcurrencyConfig(ctx, &lambda.DeleteProvisionedConcurrencyConfigInput{FunctionName: &function, Qualifier: live})
	if isMissing(err) { // with the alias
		return nil
	}
	return err
}

func (f *Functions) applyTags(ctx context.Context, function string, before, now map[string]string) error {
	if maps.Equal(before, now) {
		return nil
	}
	have, err := f.Lambda.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: &function})
	if err != nil {
		return err
	}
	var gone []string
	for name := range before {
		if _, stays := now[name]; !stays {
			gone = append(gone, name)
		}
	}
	if len(gone) > 0 {
		_, err := f.Lambda.UntagResource(ctx, &lambda.UntagResourceInput{Resource: have.FunctionArn, TagKeys: gone})
		if err != nil {
			return err
		}
	}
	if len(now) == 0 {
		return nil
	}
	_, err = f.Lambda.TagResource(ctx, &lambda.TagResourceInput{Resource: have.FunctionArn, Tags: now})
	return err
}

// ensureRetention sets how long a log group is kept, and creates it when it does not exist.
func (f *Functions) ensureRetention(ctx context.Context, group string, days int32) error {
	err := f.setRetention(ctx, group, days)
	if awserr.Is(err, "ResourceNotFoundException") {
		_, err = f.Logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
		if err == nil || awserr.Is(err, "ResourceAlreadyExistsException") {
			err = f.setRetention(ctx, group, days)
		}
	}
	return err
}

func (f *Functions) setRetention(ctx context.Context, group string, days int32) error {
	_, err := f.Logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: &group, RetentionInDays: &days})
	return err
}

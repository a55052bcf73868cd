package lambda

import (
	"context"
	"encoding/json"
	"fmt"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/aws/schedule"
)

// Invoker is the part of Lambda that dispatching needs.
type Invoker interface {
	Invoke(ctx context.Context, in *lambda.InvokeInput, options ...func(*lambda.Options)) (*lambda.InvokeOutput, error)
}

// Dispatch returns a Dispatcher whose deploy handler is the Lambda function of that name. It returns
// once Lambda has queued the event. Lambda stops a function that invokes
// itself some 16 times (Lambda, "Recursive loop detection"); a deployment that takes longer
// continues with the schedule's next round.
func Dispatch(client Invoker, function string) Dispatcher {
	return func(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) error {
		return invoke(ctx, client, function, DeployEvent{DeploymentID: d, ProjectID: p})
	}
}

// AnnounceSwitches returns what makes the deploy handler settle the switches of a project. It returns
// once Lambda has queued the event.
func AnnounceSwitches(client Invoker, function string) func(context.Context, anchor.ProjectID) error {
	return func(ctx context.Context, p anchor.ProjectID) error {
		return invoke(ctx, client, function, DeployEvent{ProjectID: p, Switched: true})
	}
}

// DispatchCron returns what sends the crons handler an event. It returns once Lambda has queued it.
func DispatchCron(client Invoker, function string) func(context.Context, schedule.Event) error {
	return func(ctx context.Context, e schedule.Event) error { return invoke(ctx, client, function, e) }
}

func invoke(ctx context.Context, client Invoker, function string, event any) error {
	payload, err := json.Marshal(event)
	if err != nil {
		return fmt.Errorf("encode an event for %s: %w", function, err)
	}
	_, err = client.Invoke(ctx, &lambda.InvokeInput{
		FunctionName: sdk.String(function), InvocationType: types.InvocationTypeEvent, Payload: payload,
	})
	if err != nil {
		return notInvoked(function, err)
	}
	return nil
}

func notInvoked(function string, err error) error {
	switch {
	case awserr.Denied(err):
		return anchor.Failed("access_denied", "the handler may not invoke %s", function).
			Hintf("Grant its role lambda:InvokeFunction on it: run anchor aws bootstrap again.").Because(err)
	case awserr.Is(err, "ResourceNotFoundException"):
		return anchor.Failed("no_deploy_handler", "the handler %s does not exist", function).
			Hintf("Run anchor aws bootstrap again.").Because(err)
	}
	return fmt.Errorf("invoke %s: %w", function, err)
}

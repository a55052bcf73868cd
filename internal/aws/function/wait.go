package function

import (
	"context"
	"math/rand/v2"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const (
	maxStep   = 2 * time.Second // the longest wait between two reads
	maxLooks  = 150             // some five minutes: Lambda's own limit for a function to become active
	maxRounds = 12              // how often a write that collides with another is repeated
)

// pause waits before the next read or round. The waits grow and are randomised.
func (f *Functions) pause(ctx context.Context, round int) error {
	wait := min(f.step<<min(round, 4), maxStep)
	wait = wait/2 + rand.N(wait/2+1)
	select {
	case <-time.After(wait):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// settled reads a function's $LATEST, or the version or alias of a qualifier, once no update is
// in progress. Its state may be Failed.
func (f *Functions) settled(ctx context.Context, function, qualifier string) (*lambda.GetFunctionConfigurationOutput, error) {
	input := &lambda.GetFunctionConfigurationInput{FunctionName: &function}
	if qualifier != "" {
		input.Qualifier = &qualifier
	}
	for look := range maxLooks {
		have, err := f.Lambda.GetFunctionConfiguration(ctx, input)
		if err != nil {
			return nil, err
		}
		if have.State != types.StatePending && have.LastUpdateStatus != types.LastUpdateStatusInProgress {
			return have, nil
		}
		if err := f.pause(ctx, look); err != nil {
			return nil, err
		}
	}
	return nil, anchor.Failed("function_not_ready", "Lambda is still preparing the function %s after five minutes", function).
		Hintf("Deploy again in a while; live traffic was not touched.")
}

// broken returns why a function's state is Failed, or "" when it is not.
func broken(have *lambda.GetFunctionConfigurationOutput) string {
	switch {
	case have.State == types.StateFailed:
		return string(have.StateReasonCode) + " " + sdk.ToString(have.StateReason)
	case have.LastUpdateStatus == types.LastUpdateStatusFailed:
		return string(have.LastUpdateStatusReasonCode) + " " + sdk.ToString(have.LastUpdateStatusReason)
	}
	return ""
}

package function

import (
	"context"
	"errors"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/retry"
)

const (
	maxStep   = 2 * time.Second // the longest wait between two reads
	maxLooks  = 150             // some five minutes: Lambda's own limit for a function to become active
	maxRounds = 12              // how often a write that collides with another is repeated
)

// writes is the policy for writes that collide with others. Its pauses are as long on average as
// those of reads.
func (f *Functions) writes() retry.Policy {
	return retry.Policy{First: 2 * f.step, Longest: 2 * maxStep, Calls: maxRounds}
}

// reads is the policy for reads that wait for a state.
func (f *Functions) reads(most int) retry.Policy {
	return retry.Policy{First: f.step, Longest: maxStep, Calls: most}
}

// pauseRound waits after a round that could not write. It is for loops whose rounds also end well
// without being the last, which retry.Do cannot repeat.
func (f *Functions) pauseRound(ctx context.Context, round int) error {
	return f.writes().Pause(ctx, round)
}

// awaitSettled reads a function's $LATEST, or the version or alias of a qualifier, once no update is
// in progress. Its state may be Failed.
func (f *Functions) awaitSettled(ctx context.Context, function, qualifier string) (*lambda.GetFunctionConfigurationOutput, error) {
	input := &lambda.GetFunctionConfigurationInput{FunctionName: &function}
	if qualifier != "" {
		input.Qualifier = &qualifier
	}
	var have *lambda.GetFunctionConfigurationOutput
	err := retry.Poll(ctx, f.reads(maxLooks), func() (_ bool, err error) {
		if have, err = f.Lambda.GetFunctionConfiguration(ctx, input); err != nil {
			return false, err
		}
		return have.State != types.StatePending && have.LastUpdateStatus != types.LastUpdateStatusInProgress, nil
	})
	if errors.Is(err, retry.ErrNotReady) {
		err = anchor.Failed("function_not_ready", "Lambda is still preparing the function %s after five minutes", function).
			Hintf("Deploy again in a few minutes. Live traffic was not affected.")
	}
	if err != nil {
		return nil, err
	}
	return have, nil
}

// brokenReason returns why a function's state is Failed, or "" when it is not.
func brokenReason(have *lambda.GetFunctionConfigurationOutput) string {
	switch {
	case have.State == types.StateFailed:
		return string(have.StateReasonCode) + " " + sdk.ToString(have.StateReason)
	case have.LastUpdateStatus == types.LastUpdateStatusFailed:
		return string(have.LastUpdateStatusReasonCode) + " " + sdk.ToString(have.LastUpdateStatusReason)
	}
	return ""
}

package install

import (
	"context"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// state is the state of a stack. The zero value means that there is none.
type state struct {
	id       string
	status   types.StackStatus
	reason   string
	drift    types.StackDriftStatus
	version  string
	outputs  map[string]string
	settings map[string]string // its parameters
	changed  time.Time
}

// stackState returns the state of the installation's stack. It does not find a deleted stack, which
// DescribeStacks knows by its id only.
func (i *Installation) stackState(ctx context.Context) (state, error) {
	return i.describeStack(ctx, i.Name)
}

func (i *Installation) describeStack(ctx context.Context, nameOrID string) (state, error) {
	out, err := i.formation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &nameOrID})
	if err != nil {
		// CloudFormation has no code for this.
		if awserr.Is(err, "ValidationError") && strings.Contains(err.Error(), "does not exist") {
			return state{}, nil
		}
		return state{}, i.explainError(err, "look at the stack "+i.Name)
	}
	if len(out.Stacks) == 0 {
		return state{}, nil
	}
	return readState(out.Stacks[0]), nil
}

func readState(s types.Stack) state {
	st := state{id: sdk.ToString(s.StackId), status: s.StackStatus, reason: sdk.ToString(s.StackStatusReason), outputs: map[string]string{}, settings: map[string]string{}}
	for _, o := range s.Outputs {
		st.outputs[sdk.ToString(o.OutputKey)] = sdk.ToString(o.OutputValue)
	}
	for _, p := range s.Parameters {
		st.settings[sdk.ToString(p.ParameterKey)] = sdk.ToString(p.ParameterValue)
	}
	st.version = st.outputs["AnchorVersion"]
	if s.DriftInformation != nil {
		st.drift = s.DriftInformation.StackDriftStatus
	}
	st.changed = sdk.ToTime(s.CreationTime)
	if s.LastUpdatedTime != nil {
		st.changed = *s.LastUpdatedTime
	}
	return st
}

func (i *Installation) readOutputs(s state) installation.Outputs {
	return installation.Outputs{
		APIURL: s.outputs["ApiUrl"], Version: s.version, Region: i.AWS.Region, Account: i.account,
		AssetsBucket: s.outputs["AssetsBucket"], ArtifactsBucket: s.outputs["ArtifactsBucket"],
		ProjectsTable: s.outputs["ProjectsTable"], DeploymentsTable: s.outputs["DeploymentsTable"], DomainsTable: s.outputs["DomainsTable"],
		FunctionRole: s.outputs["FunctionRole"], BuildProject: s.outputs["BuildProject"],
	}
}

// What can be done with a stack in its state.
func (s state) isAbsent() bool {
	return s.status == "" || s.status == types.StackStatusDeleteComplete || s.status == types.StackStatusReviewInProgress
}

func (s state) isBusy() bool {
	return strings.HasSuffix(string(s.status), "_IN_PROGRESS") && s.status != types.StackStatusReviewInProgress
}

// isStillborn reports whether the stack's creation failed: it holds nothing of use and cannot be
// updated, only deleted (CloudFormation, "Stack status codes").
func (s state) isStillborn() bool {
	switch s.status {
	case types.StackStatusRollbackComplete, types.StackStatusRollbackFailed, types.StackStatusCreateFailed:
		return true
	}
	return false
}

// checkSettled returns an error for a stack that no change set can be created for.
func (i *Installation) checkSettled(s state) error {
	switch {
	case s.isBusy():
		return anchor.Conflict("stack_busy", "the stack %s is being changed (%s)", i.Name, s.status).
			Hintf("Another anchor aws command may be running. anchor aws status shows when it has ended; then run this command again.")
	case s.status == types.StackStatusUpdateRollbackFailed:
		return anchor.Conflict("stack_rollback_failed", "the stack %s is stuck: an update failed, and its rollback failed as well (%s)", i.Name, s.reason).
			Hintf("Repair what the reason names, then:\n"+
				"  aws cloudformation continue-update-rollback --stack-name %s --region %s\n"+
				"and run this again.", i.Name, i.AWS.Region)
	case s.status == types.StackStatusDeleteFailed:
		return anchor.Conflict("stack_delete_failed", "the stack %s could not be deleted (%s)", i.Name, s.reason).
			Hintf("Finish it with anchor aws destroy, then run this again.")
	}
	return nil
}

package install

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

// Bootstrap creates the installation, or updates it to this version. It can be run again at any
// time. After a failure or a killed run, it continues where that ended.
func (i *Installation) Bootstrap(ctx context.Context, o installation.BootstrapOptions) (installation.Bootstrapped, error) {
	if err := i.identifyCaller(ctx); err != nil {
		return installation.Bootstrapped{}, err
	}
	s, c, err := i.checkReady(ctx, o)
	if err != nil {
		return installation.Bootstrapped{}, err
	}
	for _, step := range []func() error{
		func() error { return i.makeBucket(ctx) },
		func() error { return i.makeKey(ctx) },
		func() error { return i.uploadHandlers(ctx, c) },
	} {
		if err := step(); err != nil {
			return installation.Bootstrapped{}, err
		}
	}
	return i.applyChanges(ctx, s, c, o)
}

// checkReady checks that the stack can be written, before anything is.
func (i *Installation) checkReady(ctx context.Context, o installation.BootstrapOptions) (state, code, error) {
	s, err := i.stackState(ctx)
	if err != nil {
		return s, code{}, err
	}
	if err := i.checkSettled(s); err != nil {
		return s, code{}, err
	}
	if err := i.checkUpgradable(s.version, o.AllowDowngrade); err != nil {
		return s, code{}, err
	}
	c, err := i.handlersCode(s)
	if err != nil || !s.isStillborn() {
		return s, c, err
	}
	i.reportStep("Remains", "of a failed bootstrap ("+string(s.status)+")")
	if err := i.deleteStack(ctx, s); err != nil {
		return s, c, err
	}
	i.reportDone("Remains", "deleted")
	return state{}, c, nil
}

// applyChanges computes the changes, shows them and makes them.
func (i *Installation) applyChanges(ctx context.Context, s state, c code, o installation.BootstrapOptions) (installation.Bootstrapped, error) {
	i.reportStep("Changes", "computing")
	set, err := i.computeChanges(ctx, s, c)
	if err != nil {
		return installation.Bootstrapped{}, err
	}
	i.reportDone("Changes", strconv.Itoa(len(set.changes)))
	if len(set.changes) == 0 {
		return installation.Bootstrapped{Outputs: i.readOutputs(s), Changes: []installation.Change{}}, nil
	}
	if o.Show != nil {
		if err := o.Show(set.changes); err != nil {
			return installation.Bootstrapped{}, err
		}
	}
	since := time.Now()
	if err := i.executeChanges(ctx, set.id); err != nil {
		return installation.Bootstrapped{}, i.explainError(err, "change the stack "+i.Name)
	}
	after, err := i.followStack(ctx, set.stack, since)
	if err != nil {
		return installation.Bootstrapped{}, err
	}
	return installation.Bootstrapped{Outputs: i.readOutputs(after), Changes: set.changes, Created: s.isAbsent()}, i.checkWorked(ctx, after, since)
}

// executeChanges starts the changes. When an answer was lost, the SDK's retry finds a change set that is
// in progress, or deleted because it was the stack's last.
func (i *Installation) executeChanges(ctx context.Context, id string) error {
	_, err := i.formation.ExecuteChangeSet(ctx, &cloudformation.ExecuteChangeSetInput{ChangeSetName: &id})
	var elsewhere *types.InvalidChangeSetStatusException
	var gone *types.ChangeSetNotFoundException
	if err == nil || !errors.As(err, &elsewhere) && !errors.As(err, &gone) {
		return err
	}
	set, unseen := i.formation.DescribeChangeSet(ctx, &cloudformation.DescribeChangeSetInput{ChangeSetName: &id})
	if unseen == nil && slices.Contains([]types.ExecutionStatus{types.ExecutionStatusExecuteInProgress, types.ExecutionStatusExecuteComplete}, set.ExecutionStatus) {
		return nil
	}
	stacks, unseen := i.formation.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &i.Name})
	if unseen == nil && len(stacks.Stacks) == 1 && sdk.ToString(stacks.Stacks[0].ChangeSetId) == id {
		return nil
	}
	return err
}

// checkWorked returns an error when the change ended in a failure.
func (i *Installation) checkWorked(ctx context.Context, s state, since time.Time) error {
	switch s.status {
	case "CREATE_COMPLETE", "UPDATE_COMPLETE":
		i.reportDone("Stack", string(s.status))
		return nil
	}
	cause := i.firstFailure(ctx, s.id, since)
	if cause == "" {
		cause = s.reason
	}
	e := anchor.Failed("stack_failed", "the stack %s could not be changed (%s): %s", i.Name, s.status, cause)
	if s.isStillborn() {
		return e.Hintf("Repair what the message names and run anchor aws bootstrap again: it removes the remains first.")
	}
	if s.status == "UPDATE_ROLLBACK_COMPLETE" {
		return e.Hintf("The installation is as it was before. Repair what the message names and run anchor aws bootstrap again.")
	}
	return e.Hintf("anchor aws status shows its state.")
}

package install

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/installation"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// changeSet is a change set that CloudFormation has computed. When it has no changes,
// CloudFormation has set its status to FAILED, and it is deleted already.
type changeSet struct {
	id, stack string // ARNs
	changes   []installation.Change
}

// computeChanges creates a change set and waits for it.
func (i *Installation) computeChanges(ctx context.Context, s state, c code) (changeSet, error) {
	kind := types.ChangeSetTypeUpdate
	if s.isAbsent() {
		kind = types.ChangeSetTypeCreate
	}
	name := "anchor-" + strconv.FormatInt(time.Now().UnixMilli(), 10)
	in := &cloudformation.CreateChangeSetInput{
		StackName: &i.Name, ChangeSetName: &name, ChangeSetType: kind,
		Parameters: i.stackParameters(s, c), Capabilities: []types.Capability{types.CapabilityCapabilityIam}, Tags: i.stackTags(),
	}
	remove, err := i.placeTemplate(ctx, in)
	if err != nil {
		return changeSet{}, err
	}
	out, err := i.formation.CreateChangeSet(ctx, in)
	if err != nil {
		return changeSet{}, errors.Join(i.explainError(err, "compute the changes of the stack "+i.Name), remove())
	}
	set := changeSet{id: sdk.ToString(out.Id), stack: sdk.ToString(out.StackId)}
	return set, errors.Join(i.awaitComputed(ctx, &set), remove())
}

// stackTags are applied by CloudFormation to every resource of the stack that supports them.
func (i *Installation) stackTags() []types.Tag {
	return []types.Tag{
		{Key: sdk.String("ManagedBy"), Value: sdk.String("anchor-deploy")},
		{Key: sdk.String("Installation"), Value: &i.Name},
	}
}

// awaitComputed waits until set has its changes. A change set without any, or a refused one, is
// deleted.
func (i *Installation) awaitComputed(ctx context.Context, set *changeSet) error {
	return i.await(ctx, func() (bool, error) {
		in := &cloudformation.DescribeChangeSetInput{ChangeSetName: &set.id}
		out, err := i.formation.DescribeChangeSet(ctx, in)
		if err != nil {
			return false, i.explainError(err, "read the changes of the stack "+i.Name)
		}
		switch out.Status {
		case types.ChangeSetStatusCreateComplete:
			return true, i.readChanges(ctx, in, out, set)
		case types.ChangeSetStatusFailed:
			err := i.dropChanges(ctx, *set)
			if reason := sdk.ToString(out.StatusReason); !isUnchanged(reason) {
				refused := anchor.Failed("change_set_failed", "CloudFormation rejected the changes of the stack %s: %s", i.Name, reason)
				return true, refused.Hintf("Nothing was changed.").Because(err)
			}
			return true, err
		}
		return false, nil
	})
}

// isUnchanged reports whether a change set failed because it has no changes. CloudFormation
// reports that in words only.
func isUnchanged(reason string) bool {
	return strings.Contains(reason, "didn't contain changes") || strings.Contains(reason, "No updates are to be performed")
}

func (i *Installation) readChanges(ctx context.Context, in *cloudformation.DescribeChangeSetInput, out *cloudformation.DescribeChangeSetOutput, set *changeSet) error {
	for {
		for _, c := range out.Changes {
			if c.ResourceChange != nil {
				set.changes = append(set.changes, readChange(*c.ResourceChange))
			}
		}
		if sdk.ToString(out.NextToken) == "" {
			break
		}
		next := *in
		next.NextToken = out.NextToken
		var err error
		if out, err = i.formation.DescribeChangeSet(ctx, &next); err != nil {
			return i.explainError(err, "read the changes of the stack "+i.Name)
		}
	}
	slices.SortFunc(set.changes, func(a, b installation.Change) int {
		return cmp.Or(cmp.Compare(a.Action, b.Action), cmp.Compare(a.Resource, b.Resource))
	})
	return nil
}

func readChange(c types.ResourceChange) installation.Change {
	change := installation.Change{Resource: sdk.ToString(c.LogicalResourceId), Type: sdk.ToString(c.ResourceType), Physical: sdk.ToString(c.PhysicalResourceId)}
	switch {
	case c.Action == types.ChangeActionAdd:
		change.Action = "add"
	case c.Action == types.ChangeActionRemove:
		change.Action = "remove"
	case c.Replacement == types.ReplacementTrue:
		change.Action = "replace"
	case c.Replacement == types.ReplacementConditional:
		change.Action = "maybe replace"
	default:
		change.Action = "change"
	}
	for _, d := range c.Details {
		if d.Target == nil {
			continue
		}
		why := string(d.Target.Attribute)
		if name := sdk.ToString(d.Target.Name); name != "" {
			why = name
		}
		if !slices.Contains(change.Why, why) {
			change.Why = append(change.Why, why)
		}
	}
	slices.Sort(change.Why)
	return change
}

// dropChanges deletes a change set. It also deletes the stack when that is only the empty one that a
// change set of a new stack leaves (CreateChangeSet: REVIEW_IN_PROGRESS).
func (i *Installation) dropChanges(ctx context.Context, set changeSet) error {
	if _, err := i.formation.DeleteChangeSet(ctx, &cloudformation.DeleteChangeSetInput{ChangeSetName: &set.id}); err != nil {
		return i.explainError(err, "delete the change set "+set.id)
	}
	s, err := i.describeStack(ctx, set.stack)
	if err != nil || s.status != types.StackStatusReviewInProgress {
		return err
	}
	others, err := i.formation.ListChangeSets(ctx, &cloudformation.ListChangeSetsInput{StackName: &set.stack})
	if err != nil {
		return i.explainError(err, "list the change sets of "+i.Name)
	}
	if len(others.Summaries) > 0 {
		return nil // somebody else's plan uses the empty stack
	}
	_, err = i.formation.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: &set.stack})
	return i.explainError(err, "delete the empty stack "+i.Name)
}

// await calls done until it returns true or an error, with pauses of at most Poll.
func (i *Installation) await(ctx context.Context, done func() (bool, error)) error {
	err := retry.Poll(ctx, retry.Policy{First: i.Poll, Longest: i.Poll}, done)
	if err != nil && errors.Is(err, ctx.Err()) {
		return fmt.Errorf("wait for the stack %s: %w", i.Name, err)
	}
	return err
}

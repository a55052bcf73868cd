package install

import (
	"context"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"
)

// clockSkew is how far this machine's clock may be ahead of CloudFormation's before events of a
// change count as older ones.
const clockSkew = time.Minute

// followStack waits until the stack (an ARN) no longer changes and reports its events meanwhile.
func (i *Installation) followStack(ctx context.Context, stack string, since time.Time) (state, error) {
	told := map[string]bool{}
	var s state
	err := i.await(ctx, func() (_ bool, err error) {
		if s, err = i.describeStack(ctx, stack); err != nil {
			return false, err
		}
		i.tellEvents(ctx, stack, since, told)
		return !s.isBusy() && s.status != types.StackStatusReviewInProgress, nil
	})
	return s, err
}

// tellEvents reports the events that were not reported yet. A missing permission to read them
// does not end the wait.
func (i *Installation) tellEvents(ctx context.Context, stack string, since time.Time, told map[string]bool) {
	if i.Watch == nil {
		return
	}
	events, err := i.listEvents(ctx, stack, since)
	if err != nil {
		return
	}
	for _, e := range events {
		if id := sdk.ToString(e.EventId); !told[id] {
			told[id] = true
			i.reportStep("Stack", sdk.ToString(e.LogicalResourceId)+" "+string(e.ResourceStatus))
		}
	}
}

// listEvents returns the events since a time, oldest first.
func (i *Installation) listEvents(ctx context.Context, stack string, since time.Time) ([]types.StackEvent, error) {
	var events []types.StackEvent
	pages := cloudformation.NewDescribeStackEventsPaginator(i.formation, &cloudformation.DescribeStackEventsInput{StackName: &stack})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, i.explainError(err, "read the events of the stack "+i.Name)
		}
		for _, e := range page.StackEvents {
			if sdk.ToTime(e.Timestamp).Before(since.Add(-clockSkew)) {
				slices.Reverse(events)
				return events, nil
			}
			events = append(events, e)
		}
	}
	slices.Reverse(events)
	return events, nil
}

// firstFailure returns the first failure: later ones are mostly "canceled".
func (i *Installation) firstFailure(ctx context.Context, stack string, since time.Time) string {
	events, err := i.listEvents(ctx, stack, since)
	if err != nil {
		return "its events cannot be read: " + err.Error()
	}
	for _, e := range events {
		reason := sdk.ToString(e.ResourceStatusReason)
		if strings.HasSuffix(string(e.ResourceStatus), "_FAILED") && reason != "" {
			return sdk.ToString(e.LogicalResourceId) + " (" + sdk.ToString(e.ResourceType) + "): " + reason
		}
	}
	return ""
}

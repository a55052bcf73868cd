package function

import (
	"context"
	"errors"
	"strconv"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// How the queue treats messages. A page that cannot be revalidated blocks its group of a FIFO
// queue until the message is deleted, and the next stale answer sends a lost message again. So a
// message has two or three attempts, and there is no dead-letter queue.
const (
	visibleAfter = 6 * TimeoutSeconds // as the Developer Guide recommends for mappings
	keepMessages = 10 * 60            // seconds
	batch        = 5
)

func (f *Functions) queueName(p anchor.Project) string {
	return f.namePrefix(p) + revalidationShort + ".fifo"
}

// Queue returns the URL of the project's revalidation queue, which it creates on first use.
func (f *Functions) Queue(ctx context.Context, p anchor.Project) (url string, err error) {
	name := f.queueName(p)
	for range 2 {
		found, err := f.queueURL(ctx, name)
		if found != "" || err != nil {
			return found, explainFailure(err, "find the queue %s", name)
		}
		made, err := f.SQS.CreateQueue(ctx, &sqs.CreateQueueInput{
			QueueName: &name, Tags: f.tagsOf(p),
			Attributes: map[string]string{
				string(sqstypes.QueueAttributeNameFifoQueue):              "true",
				string(sqstypes.QueueAttributeNameVisibilityTimeout):      strconv.Itoa(visibleAfter),
				string(sqstypes.QueueAttributeNameMessageRetentionPeriod): strconv.Itoa(keepMessages),
			},
		})
		var exists *sqstypes.QueueNameExists
		switch {
		case err == nil:
			return sdk.ToString(made.QueueUrl), nil
		case !errors.As(err, &exists):
			return "", explainFailure(err, "make the queue %s", name)
		}
	}
	return "", busyError(name)
}

// queueURL returns "" when there is no such queue.
func (f *Functions) queueURL(ctx context.Context, name string) (string, error) {
	out, err := f.SQS.GetQueueUrl(ctx, &sqs.GetQueueUrlInput{QueueName: &name})
	var missing *sqstypes.QueueDoesNotExist
	if errors.As(err, &missing) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return sdk.ToString(out.QueueUrl), nil
}

// mapQueue makes the queue's messages start the live revalidation function.
func (f *Functions) mapQueue(ctx context.Context, p anchor.Project, function string) error {
	target := function + ":" + anchor.LiveAlias
	mappings, err := f.listMappings(ctx, target)
	if len(mappings) > 0 || err != nil {
		return explainFailure(err, "read the event source mappings of function %s", function)
	}
	url, err := f.Queue(ctx, p)
	if err != nil {
		return err
	}
	attributes, err := f.SQS.GetQueueAttributes(ctx, &sqs.GetQueueAttributesInput{
		QueueUrl: &url, AttributeNames: []sqstypes.QueueAttributeName{sqstypes.QueueAttributeNameQueueArn},
	})
	if err != nil {
		return explainFailure(err, "read the queue %s", url)
	}
	arn := attributes.Attributes[string(sqstypes.QueueAttributeNameQueueArn)]
	_, err = f.Lambda.CreateEventSourceMapping(ctx, &lambda.CreateEventSourceMappingInput{
		FunctionName: &target, EventSourceArn: &arn, BatchSize: sdk.Int32(batch), Tags: f.tagsOf(p),
		FunctionResponseTypes: []types.FunctionResponseType{types.FunctionResponseTypeReportBatchItemFailures},
	})
	if isConflict(err) { // it exists: a source and a function have one mapping
		return nil
	}
	return explainFailure(err, "let the queue start function %s", function)
}

func (f *Functions) listMappings(ctx context.Context, target string) ([]types.EventSourceMappingConfiguration, error) {
	var all []types.EventSourceMappingConfiguration
	pages := lambda.NewListEventSourceMappingsPaginator(f.Lambda, &lambda.ListEventSourceMappingsInput{FunctionName: &target})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		all = append(all, page.EventSourceMappings...)
	}
	return all, nil
}

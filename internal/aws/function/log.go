package function

import (
	"context"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"

	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// boundLog sets how long the function's log is kept. Otherwise Lambda creates the log group with
// the first line, and CloudWatch keeps it forever. A failure does not fail the deployment.
func (f *Functions) boundLog(ctx context.Context, function string) {
	if f.LogDays == 0 {
		return
	}
	group := logGroup(function)
	err := f.setRetention(ctx, group)
	if awserr.Is(err, "ResourceNotFoundException") {
		_, err = f.Logs.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
		if err == nil || awserr.Is(err, "ResourceAlreadyExistsException") {
			err = f.setRetention(ctx, group)
		}
	}
	if err != nil {
		f.Log.WarnContext(ctx, "the log of a function is kept for ever", "group", group, "error", err)
	}
}

func (f *Functions) setRetention(ctx context.Context, group string) error {
	_, err := f.Logs.PutRetentionPolicy(ctx, &cloudwatchlogs.PutRetentionPolicyInput{
		LogGroupName: &group, RetentionInDays: sdk.Int32(int32(f.LogDays)),
	})
	return err
}

func logGroup(function string) string { return "/aws/lambda/" + function }

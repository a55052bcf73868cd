package awstest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

func TestWire_BreaksCalls(t *testing.T) {
	cloud := awstest.MiniStack(t)
	client := s3.NewFromConfig(cloud.Config())
	bucket := &s3.CreateBucketInput{Bucket: aws.String("one"), CreateBucketConfiguration: &s3types.CreateBucketConfiguration{
		LocationConstraint: awstest.Region,
	}}

	cloud.Wire.Break(awstest.Fault{Operation: "S3.CreateBucket", Nth: 1, Status: 400, Code: "TooManyBuckets", Message: "no more"})
	_, err := client.CreateBucket(t.Context(), bucket)
	wantCode(t, err, "TooManyBuckets")
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: bucket.Bucket}); err == nil {
		t.Error("the refused bucket is there")
	}

	cloud.Wire.Mend()
	cloud.Wire.Break(awstest.Fault{Operation: "S3.CreateBucket", Nth: 1, After: true, Status: 400, Code: "Lost"})
	_, err = client.CreateBucket(t.Context(), bucket)
	wantCode(t, err, "Lost")
	if _, err := client.HeadBucket(t.Context(), &s3.HeadBucketInput{Bucket: bucket.Bucket}); err != nil {
		t.Errorf("the bucket whose answer was lost: %v", err)
	}
}

func TestWire_FormatsErrorsAsService(t *testing.T) {
	cloud := awstest.MiniStack(t)
	cloud.Wire.Break(awstest.Fault{Operation: "Lambda.GetFunction", Status: 412, Code: "PreconditionFailedException", Message: "stale"})
	_, err := lambda.NewFromConfig(cloud.Config()).GetFunction(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")})
	var stale *types.PreconditionFailedException
	if !errors.As(err, &stale) || !strings.Contains(stale.ErrorMessage(), "stale") {
		t.Errorf("it answers %v", err)
	}
}

func TestWire_CountsRetries(t *testing.T) {
	cloud := awstest.MiniStack(t)
	cloud.Wire.Break(awstest.Fault{Operation: "S3.ListBuckets", Nth: 1}, awstest.Fault{Operation: "S3.ListBuckets", Nth: 2, Status: 503, Code: "SlowDown"})
	calls := cloud.Wire.Record()
	if _, err := s3.NewFromConfig(cloud.Config()).ListBuckets(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if got := calls(); len(got) != 3 || awstest.Serial(got) != 3 || got[0].Operation != "S3.ListBuckets" {
		t.Errorf("the calls are %+v", got)
	}
}

func TestWire_Hangs(t *testing.T) {
	cloud := awstest.MiniStack(t)
	cloud.Wire.Break(awstest.Fault{Operation: "S3.ListBuckets", Hang: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := s3.NewFromConfig(cloud.Config()).ListBuckets(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it answers %v", err)
	}
}

func TestSerial(t *testing.T) {
	at := func(began, end int64) awstest.Call {
		return awstest.Call{Began: time.Unix(began, 0), End: time.Unix(end, 0)}
	}
	for _, test := range []struct {
		want  int
		calls []awstest.Call
	}{
		{0, nil},
		{1, []awstest.Call{at(0, 2), at(1, 3)}},
		{2, []awstest.Call{at(0, 2), at(1, 3), at(2, 4)}},
		{3, []awstest.Call{at(0, 1), at(1, 5), at(1, 2), at(2, 3)}},
	} {
		if got := awstest.Serial(test.calls); got != test.want {
			t.Errorf("%v has a chain of %d, want %d", test.calls, got, test.want)
		}
	}
}

func TestMoto(t *testing.T) {
	cloud := awstest.Moto(t)
	if _, err := s3.NewFromConfig(cloud.Config()).ListBuckets(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if out := cloud.CLI(t, "s3api", "list-buckets"); !strings.Contains(out, "Buckets") {
		t.Errorf("the CLI prints %q", out)
	}
}

func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	var got smithy.APIError
	if !errors.As(err, &got) || got.ErrorCode() != code {
		t.Errorf("it answers %v, want %s", err, code)
	}
}

package awserr_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// answered returns the error of an SDK client for an answer with a code.
func answered(service, operation, code, message string) error {
	return fmt.Errorf("wrapped: %w", &smithy.OperationError{
		ServiceID: service, OperationName: operation, Err: &smithy.GenericAPIError{Code: code, Message: message},
	})
}

func TestCodes(t *testing.T) {
	err := answered("S3", "GetObject", "NoSuchKey", "")
	if awserr.Code(err) != "NoSuchKey" || !awserr.Is(err, "NotFound", "NoSuchKey") || awserr.Is(err, "NotFound") || awserr.Denied(err) {
		t.Errorf("%v has the code %q", err, awserr.Code(err))
	}
	for _, none := range []error{nil, errors.New("cut off"), &smithy.OperationError{Err: errors.New("cut off")}} {
		if awserr.Code(none) != "" || awserr.Is(none, "") || awserr.Denied(none) {
			t.Errorf("%v has a code", none)
		}
	}
	for _, code := range []string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden"} {
		if !awserr.Denied(answered("S3", "HeadObject", code, "")) {
			t.Errorf("%s is not a denial", code)
		}
	}
}

func TestRetryable(t *testing.T) {
	for code, is := range map[string]func(error) bool{
		"InvalidIfMatchVersion": awserr.Stale, "PreconditionFailed": awserr.Stale,
		"ThrottlingException": awserr.Crowded, "TooManyInvalidationsInProgress": awserr.Crowded,
	} {
		if !is(answered("CloudFront", "UpdateDistribution", code, "")) || is(answered("CloudFront", "UpdateDistribution", "AccessDenied", "")) || is(nil) {
			t.Errorf("%s is not told from other codes", code)
		}
	}
	for status, want := range map[int]bool{http.StatusTooManyRequests: true, http.StatusForbidden: false} {
		err := fmt.Errorf("wrapped: %w", &smithyhttp.ResponseError{
			Response: &smithyhttp.Response{Response: &http.Response{StatusCode: status}}, Err: &smithy.GenericAPIError{Code: "UnknownError"},
		})
		if awserr.Crowded(err) != want {
			t.Errorf("%v is taken for crowded: %v", err, !want)
		}
	}
}

func TestAction(t *testing.T) {
	for want, err := range map[string]error{
		"":                                    nil,
		"s3:GetObject":                        answered("S3", "HeadObject", "Forbidden", ""),
		"s3:GetObject, s3:PutObject":          answered("S3", "CopyObject", "AccessDenied", "Access Denied"),
		"logs:FilterLogEvents":                answered("CloudWatch Logs", "FilterLogEvents", "AccessDeniedException", ""),
		"cloudfront-keyvaluestore:UpdateKeys": answered("CloudFront KeyValueStore", "UpdateKeys", "AccessDeniedException", ""),
		"iam:PassRole": answered("Lambda", "CreateFunction", "AccessDeniedException",
			"User: arn:aws:iam::1:user/me is not authorized to perform: iam:PassRole on resource: r"),
	} {
		if got := awserr.Action(err); got != want {
			t.Errorf("%v needs %q, want %q", err, got, want)
		}
	}
	if got := awserr.Action(errors.New("cut off")); got != "" {
		t.Errorf("no call needs %q", got)
	}
}

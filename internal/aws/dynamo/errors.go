package dynamo

import (
	"errors"
	"fmt"
	"strings"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"github.com/aws/smithy-go"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// explainError adds to an error of DynamoDB what the user can do about it.
func explainError(what string, err error) error {
	if e := (*anchor.Error)(nil); err == nil || errors.As(err, &e) {
		return err
	}
	switch code := awserr.Code(err); {
	case awserr.Denied(err):
		return anchor.Failed("access_denied", "AWS denies access: %s", what).
			Hintf("The cause names the role and the action it lacks. Restore the permission with: anchor aws bootstrap").Because(err)
	case code == "ResourceNotFoundException":
		return anchor.Failed("no_tables", "%s: a table of the records does not exist", what).
			Hintf("Inspect the installation with anchor aws status. Create what is missing with anchor aws bootstrap").Because(err)
	case isTooLarge(err):
		return anchor.TooLarge("record_too_large", "%s: it is larger than DynamoDB keeps (400 KB)", what).
			Hintf("Shorten its longest text.").Because(err)
	case isThrottled(code):
		return errBusy(what, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func errBusy(what string, err error) error {
	return (&anchor.Error{Kind: anchor.KindBusy, Code: "records_busy", Message: what + ": the records are busy"}).
		Hintf("Try again in a moment.").Because(err)
}

func isThrottled(code string) bool {
	_, throttle := retry.DefaultThrottleErrorCodes[code]
	return throttle || code == "TransactionConflictException"
}

// isTooLarge reads the message, because DynamoDB has no code for this error.
func isTooLarge(err error) bool {
	large := func(s string) bool { return strings.Contains(strings.ToLower(s), "size") }
	if canceled := (*types.TransactionCanceledException)(nil); errors.As(err, &canceled) {
		for _, r := range canceled.CancellationReasons {
			if sdk.ToString(r.Code) == "ValidationError" && large(sdk.ToString(r.Message)) {
				return true
			}
		}
		return false
	}
	var api smithy.APIError
	return errors.As(err, &api) && api.ErrorCode() == "ValidationException" && large(api.ErrorMessage())
}

package function

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// failed says what could not be done, nil for nil. What says something already, and the
// end of a context, pass.
func failed(err error, format string, args ...any) error {
	var known *anchor.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	what := fmt.Sprintf(format, args...)
	if codeOf(err) == "AccessDeniedException" || codeOf(err) == "AccessDenied" || codeOf(err) == "Forbidden" {
		return denied(err, what)
	}
	return anchor.Failed("aws_failed", "AWS did not %s", what).
		Hintf("Live traffic was not touched; run it again. If it stays, the cause says what to change.").Because(err)
}

var (
	caller  = regexp.MustCompile(`arn:aws[a-z-]*:(?:sts|iam)::\d+:\S+`)
	refused = regexp.MustCompile(`not authorized to perform: ([a-z0-9-]+:[A-Za-z]+)`)
)

// actions are those of IAM that go by another name than the operation.
var actions = map[string]string{
	"HeadObject": "s3:GetObject and s3:ListBucket", "ListObjectsV2": "s3:ListBucket", "DeleteObjects": "s3:DeleteObject",
	"Invoke": "lambda:InvokeFunction",
}

// denied names the action that is missing and who misses it: AWS mostly says so, and
// never for HeadObject.
func denied(err error, what string) error {
	action, who := "the call", "the role that Anchor runs as"
	var operation *smithy.OperationError
	if said := refused.FindStringSubmatch(err.Error()); said != nil {
		action = said[1] // such as iam:PassRole, which no operation is called
	} else if errors.As(err, &operation) {
		action = strings.ToLower(operation.Service()) + ":" + operation.Operation()
		if other, found := actions[operation.Operation()]; found {
			action = other
		}
	}
	if arn := caller.FindString(err.Error()); arn != "" {
		who = arn
	}
	return anchor.Failed("aws_denied", "AWS did not %s: %s is not allowed", what, action).
		Hintf("Allow %s to %s.", action, who).Because(err)
}

func codeOf(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func isMissing(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

// isConflict is true for what is there already and for what is busy: read before
// deciding.
func isConflict(err error) bool {
	var conflict *types.ResourceConflictException
	return errors.As(err, &conflict)
}

// isStale is true when a RevisionId or CodeSha256 is no longer the function's.
func isStale(err error) bool {
	var precondition *types.PreconditionFailedException
	if errors.As(err, &precondition) {
		return true
	}
	var invalid *types.InvalidParameterValueException
	return errors.As(err, &invalid) && strings.Contains(strings.ToLower(invalid.ErrorMessage()), "codesha256")
}

// isYoungRole is true while Lambda does not know yet of a role that was just made.
func isYoungRole(err error) bool {
	var invalid *types.InvalidParameterValueException
	return errors.As(err, &invalid) && strings.Contains(invalid.ErrorMessage(), "cannot be assumed by Lambda")
}

// isUnsure reports whether the answer was lost on its way: what was asked for may have
// been done. An end of ctx is nobody's loss.
func isUnsure(err error) bool {
	var api smithy.APIError
	return err != nil && !errors.As(err, &api) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

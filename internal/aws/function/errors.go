package function

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/lambda/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// explainFailure returns an error that says what could not be done, or nil for nil. An error that says so
// already, and the end of a context, are returned unchanged.
func explainFailure(err error, format string, args ...any) error {
	var known *anchor.Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	what := fmt.Sprintf(format, args...)
	if awserr.Denied(err) {
		return explainDenied(err, what)
	}
	return anchor.Failed("aws_failed", "AWS did not %s", what).
		Hintf("Run it again. If it fails again, the cause says what to change.").Because(err)
}

var caller = regexp.MustCompile(`arn:aws[a-z-]*:(?:sts|iam)::\d+:\S+`)

// explainDenied names the missing action and who lacks it. AWS mostly does so itself, but never for
// HeadObject.
func explainDenied(err error, what string) error {
	action, who := cmp.Or(awserr.Action(err), "the call"), "the role that Anchor runs as"
	if arn := caller.FindString(err.Error()); arn != "" {
		who = arn
	}
	return anchor.Failed("aws_denied", "AWS refused to %s: %s is not allowed", what, action).
		Hintf("Allow %s to %s.", action, who).Because(err)
}

func isMissing(err error) bool {
	var missing *types.ResourceNotFoundException
	return errors.As(err, &missing)
}

// isConflict reports whether the resource exists already or is busy; read it before deciding what
// to do.
func isConflict(err error) bool {
	var conflict *types.ResourceConflictException
	return errors.As(err, &conflict)
}

// isStale reports whether a RevisionId or CodeSha256 is no longer the function's.
func isStale(err error) bool {
	var precondition *types.PreconditionFailedException
	if errors.As(err, &precondition) {
		return true
	}
	var invalid *types.InvalidParameterValueException
	return errors.As(err, &invalid) && strings.Contains(strings.ToLower(invalid.ErrorMessage()), "codesha256")
}

// isYoungRole reports whether Lambda does not know a role yet that was just created.
func isYoungRole(err error) bool {
	var invalid *types.InvalidParameterValueException
	return errors.As(err, &invalid) && strings.Contains(invalid.ErrorMessage(), "cannot be assumed by Lambda")
}

// isUnsure reports whether the answer was lost, so that the operation may have been done. The end
// of ctx does not count.
func isUnsure(err error) bool {
	return err != nil && awserr.Code(err) == "" && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

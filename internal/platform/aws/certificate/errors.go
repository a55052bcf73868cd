package certificate

import (
	"errors"
	"slices"

	"github.com/aws/smithy-go"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// is reports whether a service answered with one of the codes.
func is(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

// stale: somebody else changed it between the read and the write.
func stale(err error) bool { return is(err, "PreconditionFailed", "InvalidIfMatchVersion") }

// gone: what was asked for is not there.
func gone(err error) bool {
	return is(err, "EntityNotFound", "NoSuchDistribution", "NoSuchFunctionExists", "NoSuchResource", "ResourceNotFoundException")
}

// taken: what was to be made is there already.
func taken(err error) bool {
	return is(err, "EntityAlreadyExists", "DistributionAlreadyExists", "FunctionAlreadyExists")
}

// crowded: too much at once for the account.
func crowded(err error) bool {
	return is(err, "TooManyInvalidationsInProgress", "Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown")
}

// full: a quota of the account is used up.
func full(err error) bool {
	return is(err, "EntityLimitExceeded", "TooManyDistributions", "LimitExceededException", "TooManyDistributionsWithFunctionAssociations",
		"TooManyDistributionsWithSingleFunctionARN", "TooManyFunctions")
}

// failed says which call about what went wrong.
func failed(err error, what string) error {
	if err == nil {
		return nil
	}
	var known *anchor.Error
	if errors.As(err, &known) {
		return err
	}
	action := actionOf(err)
	e := anchor.Failed("aws_failed", "%s for %s failed", action, what).Because(err).
		Hintf("What AWS says is above. It is tried again by itself.")
	switch {
	case is(err, "AccessDenied", "AccessDeniedException"):
		e.Code = "access_denied"
		return e.Hintf("Allow %s to the role that Anchor runs as; anchor aws bootstrap does.", action)
	case full(err):
		e.Kind, e.Code = anchor.KindBusy, "aws_quota"
		return e.Hintf("A quota of the AWS account is used up. Ask for more in Service Quotas (us-east-1), or remove domains that are not needed.")
	case crowded(err):
		e.Kind, e.Code = anchor.KindBusy, "aws_busy"
		return e.Hintf("AWS limits how fast an account may change things. It is tried again in a while.")
	case stale(err):
		e.Kind, e.Code = anchor.KindBusy, "aws_contended"
		return e.Hintf("Others changed it at the same time, again and again. It is tried again in a while.")
	}
	return e
}

// settling says that AWS is still at work on what the next step needs done.
func settling(format string, args ...any) error {
	e := anchor.Failed("aws_settling", format, args...).Hintf("It takes some minutes.")
	e.Kind = anchor.KindBusy
	return e
}

// actionOf is the IAM action of the call that failed.
func actionOf(err error) string {
	var call *smithy.OperationError
	if !errors.As(err, &call) {
		return "a call"
	}
	prefix := "cloudfront:"
	if call.Service() == "ACM" {
		prefix = "acm:"
	}
	if name := call.Operation(); name != "CreateDistributionWithTags" {
		return prefix + name
	}
	return prefix + "CreateDistribution"
}

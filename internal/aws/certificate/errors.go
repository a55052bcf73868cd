package certificate

import (
	"cmp"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// gone reports whether the resource does not exist.
func gone(err error) bool {
	return awserr.Is(err, "EntityNotFound", "NoSuchDistribution", "NoSuchFunctionExists", "NoSuchResource", "ResourceNotFoundException")
}

// isTaken reports whether the resource to be created exists already.
func isTaken(err error) bool {
	return awserr.Is(err, "EntityAlreadyExists", "DistributionAlreadyExists", "FunctionAlreadyExists")
}

// isFull reports whether a quota of the account is used up.
func isFull(err error) bool {
	return awserr.Is(err, "EntityLimitExceeded", "TooManyDistributions", "LimitExceededException", "TooManyDistributionsWithFunctionAssociations",
		"TooManyDistributionsWithSingleFunctionARN", "TooManyFunctions")
}

// explainFailure returns an error that names the call and its object.
func explainFailure(err error, what string) error {
	if err == nil {
		return nil
	}
	var known *anchor.Error
	if errors.As(err, &known) {
		return err
	}
	action := cmp.Or(awserr.Action(err), "a call")
	e := anchor.Failed("aws_failed", "%s for %s failed", action, what).Because(err).
		Hintf("The answer of AWS is above. Anchor will try again.")
	switch {
	case awserr.Denied(err):
		e.Code = "access_denied"
		return e.Hintf("Allow %s to the role that Anchor runs as; anchor aws bootstrap does.", action)
	case isFull(err):
		e.Kind, e.Code = anchor.KindBusy, "aws_quota"
		return e.Hintf("A quota of the AWS account is exhausted. Request an increase in Service Quotas (us-east-1), or remove domains that are not needed.")
	case awserr.Crowded(err):
		e.Kind, e.Code = anchor.KindBusy, "aws_busy"
		return e.Hintf("AWS throttles changes in this account. Anchor retries automatically.")
	case awserr.Stale(err):
		e.Kind, e.Code = anchor.KindBusy, "aws_contended"
		return e.Hintf("Concurrent changes kept interfering. Anchor retries automatically.")
	}
	return e
}

// settlingError returns an error of KindBusy: AWS has not finished what the next step depends on.
func settlingError(format string, args ...any) error {
	e := anchor.Failed("aws_settling", format, args...).Hintf("This takes a few minutes.")
	e.Kind = anchor.KindBusy
	return e
}

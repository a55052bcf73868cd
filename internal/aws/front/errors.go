package front

import (
	"cmp"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// isGone reports whether the resource does not exist.
func isGone(err error) bool {
	return awserr.Is(err, "NoSuchDistribution", "NoSuchFunctionExists", "EntityNotFound", "ResourceNotFoundException",
		"NoSuchCachePolicy", "NoSuchOriginAccessControl")
}

// isTaken reports whether the resource to be created exists already.
func isTaken(err error) bool {
	return awserr.Is(err, "DistributionAlreadyExists", "FunctionAlreadyExists", "EntityAlreadyExists",
		"CachePolicyAlreadyExists", "OriginAccessControlAlreadyExists")
}

// explainFailure returns an error that names the action and its object. action is the name of the IAM
// action, used unless the error contains one.
func explainFailure(err error, action, what string) error {
	if err == nil {
		return nil
	}
	var known *anchor.Error
	if errors.As(err, &known) {
		return err
	}
	action = cmp.Or(awserr.Action(err), action)
	e := anchor.Failed("cloudfront_failed", "%s of %s failed", action, what).Because(err)
	switch {
	case awserr.Denied(err):
		e.Code = "access_denied"
		return e.Hintf("Allow %s to the role that Anchor runs as; anchor aws bootstrap does.", action)
	case awserr.Crowded(err):
		e.Kind, e.Code = anchor.KindBusy, "cloudfront_busy"
		return e.Hintf("CloudFront throttles changes in this account. Try again in a few minutes.")
	case awserr.Stale(err):
		e.Kind, e.Code = anchor.KindBusy, "cloudfront_contended"
		return e.Hintf("Concurrent changes kept interfering. Try again.")
	}
	return e
}

// settlingError returns an error of KindBusy: CloudFront has not finished what a removal depends on.
func settlingError(what string, err error) error {
	e := anchor.Failed("cloudfront_settling", "CloudFront is still removing %s", what).Because(err).
		Hintf("This takes a few minutes. Then remove the project again; completed steps are not repeated.")
	e.Kind = anchor.KindBusy
	return e
}

package front

import (
	"errors"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/cloudfrontkeyvaluestore"
	"github.com/aws/smithy-go"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// is reports whether a service answered with one of the codes.
func is(err error, codes ...string) bool {
	var api smithy.APIError
	return errors.As(err, &api) && slices.Contains(codes, api.ErrorCode())
}

// stale: somebody else changed it between the read and the write.
func stale(err error) bool {
	return is(err, "PreconditionFailed", "InvalidIfMatchVersion", "ConflictException")
}

// gone: what was asked for is not there.
func gone(err error) bool {
	return is(err, "NoSuchDistribution", "NoSuchFunctionExists", "EntityNotFound", "ResourceNotFoundException",
		"NoSuchCachePolicy", "NoSuchOriginAccessControl")
}

// taken: what was to be made is there already.
func taken(err error) bool {
	return is(err, "DistributionAlreadyExists", "FunctionAlreadyExists", "EntityAlreadyExists",
		"CachePolicyAlreadyExists", "OriginAccessControlAlreadyExists")
}

// crowded: too much at once for the account.
func crowded(err error) bool {
	return is(err, "TooManyInvalidationsInProgress", "Throttling", "ThrottlingException", "TooManyRequestsException")
}

// failed says which action on what went wrong; action is the IAM action's name, unless
// the error itself knows.
func failed(err error, action, what string) error {
	if err == nil {
		return nil
	}
	var known *anchor.Error
	if errors.As(err, &known) {
		return err
	}
	if asked := actionOf(err); asked != "" {
		action = asked
	}
	e := anchor.Failed("cloudfront_failed", "%s of %s failed", action, what).Because(err)
	switch {
	case is(err, "AccessDenied", "AccessDeniedException"):
		e.Code = "access_denied"
		return e.Hintf("Allow %s to the role that Anchor runs as; anchor aws bootstrap does.", action)
	case crowded(err):
		e.Kind, e.Code = anchor.KindBusy, "cloudfront_busy"
		return e.Hintf("CloudFront limits how fast an account may change things. Try again in a few minutes.")
	case stale(err):
		e.Kind, e.Code = anchor.KindBusy, "cloudfront_contended"
		return e.Hintf("Others changed it at the same time, again and again. Try again.")
	}
	return e
}

// settling says that CloudFront is still at work on what a removal needs done.
func settling(what string, err error) error {
	e := anchor.Failed("cloudfront_settling", "CloudFront is still taking %s away", what).Because(err).
		Hintf("It takes some minutes. Remove the project again then; what is gone stays gone.")
	e.Kind = anchor.KindBusy
	return e
}

// actionOf is the IAM action of the call that failed.
func actionOf(err error) string {
	var call *smithy.OperationError
	if !errors.As(err, &call) {
		return ""
	}
	service := "cloudfront:"
	if call.Service() == cloudfrontkeyvaluestore.ServiceID {
		service = "cloudfront-keyvaluestore:"
	}
	return service + strings.TrimSuffix(call.Operation(), "WithTags")
}

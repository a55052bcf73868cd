package stack

import (
	"context"
	"errors"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/aws/smithy-go"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// IAM says so in most of its refusals ("is not authorized to perform: s3:CreateBucket").
var refusedAction = regexp.MustCompile(`not authorized to perform: ([a-z0-9-]+:\w+)`)

var (
	refusals = []string{"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden"}
	// Of keys that are unknown, wrong, or of a session that is over.
	badCredentials = []string{
		"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException",
		"AuthFailure", "IncompleteSignature", "RequestExpired", "InvalidAccessKeyId",
	}
)

// explain turns an error of the SDK into one that says what to do. doing completes
// "cannot …".
func (i *Installation) explain(err error, doing string) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if e := (*anchor.Error)(nil); errors.As(err, &e) {
		return err
	}
	var name *net.DNSError
	if errors.As(err, &name) && name.IsNotFound {
		return anchor.Invalid("unknown_region", "AWS cannot be reached in %s: %s has no address", i.AWS.Region, name.Name).
			Hintf("Is the region spelled well, and is this machine online? Name another with --region.").Because(err)
	}
	code := errorCode(err)
	switch {
	case slices.Contains(refusals, code):
		return i.refused(err, doing)
	case code == "OptInRequired":
		return anchor.Invalid("region_disabled", "the region %s is not enabled in this account", i.AWS.Region).
			Hintf("Enable it in the account's settings, or name another with --region.").Because(err)
	case slices.Contains(badCredentials, code):
		return noCredentials(err)
	}
	return anchor.Failed("aws_failed", "cannot %s", doing).Hintf("What is done stays. Run the command again to go on.").Because(err)
}

func (i *Installation) refused(err error, doing string) error {
	action := ""
	if m := refusedAction.FindStringSubmatch(err.Error()); m != nil {
		action = m[1]
	} else if op := (*smithy.OperationError)(nil); errors.As(err, &op) {
		action = strings.Join(iamActions(op.Service(), op.Operation()), ", ")
	}
	e := &anchor.Error{Kind: anchor.KindForbidden, Code: "access_denied", Err: err,
		Message: "cannot " + doing + ": the AWS user or role has no permission for " + action}
	return e.Hintf("Allow %s on the installation %s in account %s, or use another profile.\n"+
		"docs/aws.md lists what this command needs.", action, i.Name, i.accountOr("(unknown)"))
}

func (i *Installation) accountOr(none string) string {
	if i.account == "" {
		return none
	}
	return i.account
}

// errorCode is the service's code of an error, "" when it has none.
func errorCode(err error) string {
	var e smithy.APIError
	if errors.As(err, &e) {
		return e.ErrorCode()
	}
	return ""
}

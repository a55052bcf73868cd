package install

import (
	"cmp"
	"context"
	"errors"
	"net"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// badCredentials are the codes for keys that are unknown, wrong, or of an expired session.
var badCredentials = []string{
	"InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException",
	"AuthFailure", "IncompleteSignature", "RequestExpired", "InvalidAccessKeyId",
}

// explainError turns an error of the SDK into one that says what to do. doing completes "cannot …".
func (i *Installation) explainError(err error, doing string) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if e := (*anchor.Error)(nil); errors.As(err, &e) {
		return err
	}
	var name *net.DNSError
	if errors.As(err, &name) && name.IsNotFound {
		return anchor.Invalid("unknown_region", "AWS cannot be reached in %s: %s has no address", i.AWS.Region, name.Name).
			Hintf("Check the spelling of the region and the network of this machine, or choose another region with --region.").Because(err)
	}
	switch {
	case awserr.Denied(err):
		return i.explainRefusal(err, doing)
	case awserr.Is(err, "OptInRequired"):
		return anchor.Invalid("region_disabled", "the region %s is not enabled in this account", i.AWS.Region).
			Hintf("Enable it in the account's settings, or choose another region with --region.").Because(err)
	case awserr.Is(err, badCredentials...):
		return noCredentials(err)
	case awserr.Crowded(err):
		e := &anchor.Error{Kind: anchor.KindBusy, Code: "aws_busy", Err: err, Message: "cannot " + doing + ": AWS throttles the calls of this account"}
		return e.Hintf("Run the command again in a minute. Completed steps are not repeated.")
	}
	return anchor.Failed("aws_failed", "cannot %s", doing).Hintf("Completed steps are kept. To continue, run the command again.").Because(err)
}

func (i *Installation) explainRefusal(err error, doing string) error {
	action := cmp.Or(awserr.Action(err), "the call")
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

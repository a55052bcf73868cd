package asset

import (
	"cmp"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// explainFailure returns an error that names the operation and the object or prefix of the assets bucket.
// An error that names them already is returned unchanged.
func (s *Assets) explainFailure(err error, what, key string) error {
	return explainCall(err, what, "s3://"+s.AssetsBucket+"/"+key)
}

func (s *Assets) tableFailed(err error, what, table string) error {
	return explainCall(err, what, "the table "+table)
}

func explainCall(err error, what, resource string) error {
	if e := (*anchor.Error)(nil); errors.As(err, &e) {
		return err
	}
	e := anchor.Failed("aws_failed", "could not %s (%s)", what, resource).Because(err).
		Hintf("Run the command again. Completed steps are not repeated.")
	switch {
	case awserr.Denied(err):
		e.Code = "access_denied"
		_ = e.Hintf("Allow %s on %s to the role that Anchor runs as; the cause names it. anchor aws bootstrap grants it.", cmp.Or(awserr.Action(err), "the call"), resource)
	case awserr.Is(err, "PermanentRedirect", "AuthorizationHeaderMalformed"):
		e.Code = "wrong_region"
		_ = e.Hintf("The bucket is in another region: set AWS_REGION to the installation's.")
	case awserr.Is(err, "NoSuchBucket"):
		e.Code = "no_bucket"
		_ = e.Hintf("anchor aws bootstrap creates the installation's buckets. Check the region and the account.")
	}
	return e
}

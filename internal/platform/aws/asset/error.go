package asset

import (
	"errors"
	"slices"

	"github.com/aws/smithy-go"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// failed says what could not be done with which object or prefix of the assets
// bucket. An error that says so already is given as it is.
func (s *Assets) failed(err error, what, key string) error {
	return failed(err, what, "s3://"+s.AssetsBucket+"/"+key)
}

func (s *Assets) tableFailed(err error, what, table string) error {
	return failed(err, what, "the table "+table)
}

func failed(err error, what, resource string) error {
	if e := (*anchor.Error)(nil); errors.As(err, &e) {
		return err
	}
	e := anchor.Failed("aws_failed", "could not %s (%s)", what, resource).Because(err).
		Hintf("Run it again; what is done is not done twice.")
	switch {
	case isCode(err, denials...):
		e.Code = "access_denied"
		_ = e.Hintf("Allow %s on %s to the role that Anchor runs as; the cause names it. anchor aws bootstrap grants it.", action(err), resource)
	case isCode(err, "NoSuchBucket"):
		e.Code = "no_bucket"
		_ = e.Hintf("anchor aws bootstrap makes the installation's buckets; see whether region and account are the right ones.")
	}
	return e
}

var denials = []string{"AccessDenied", "AccessDeniedException", "Forbidden"} // HEAD has no body: S3 answers 403 Forbidden

// actions are the IAM actions of those operations that are not named as they are
// (Service Authorization Reference, "Actions for Amazon S3").
var actions = map[string]string{
	"S3.ListObjectsV2": "s3:ListBucket", "S3.HeadObject": "s3:GetObject", "S3.DeleteObjects": "s3:DeleteObject",
	"S3.CopyObject":            "s3:PutObject, and s3:GetObject on the artifacts bucket,",
	"S3.CreateMultipartUpload": "s3:PutObject", "S3.UploadPart": "s3:PutObject", "S3.CompleteMultipartUpload": "s3:PutObject",
}

func action(err error) string {
	var op *smithy.OperationError
	if !errors.As(err, &op) {
		return "the call"
	}
	if name, ok := actions[op.Service()+"."+op.Operation()]; ok {
		return name
	}
	if op.Service() == "S3" {
		return "s3:" + op.Operation()
	}
	return "dynamodb:" + op.Operation()
}

// isCode reports whether AWS answered with one of the error codes.
func isCode(err error, codes ...string) bool {
	var answer smithy.APIError
	return errors.As(err, &answer) && slices.Contains(codes, answer.ErrorCode())
}

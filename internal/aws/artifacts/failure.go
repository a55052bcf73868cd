package artifacts

import (
	"context"
	"errors"
	"net/http"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// explainFailure returns an error that says which operation on key S3 refused, and what to do about it.
// It returns errors that have a message for users already, and those of an ended ctx, unchanged.
func (s *Store) explainFailure(err error, operation, key string) error {
	var told *anchor.Error
	if errors.As(err, &told) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	switch status := statusOf(err); {
	case awserr.Is(err, "NoSuchBucket"):
		return anchor.Failed("no_bucket", "the bucket %s does not exist", s.Bucket).Because(err).
			Hintf("Run anchor aws bootstrap, which creates what is missing.")
	case status == http.StatusForbidden:
		action := strings.Join(awserr.Actions("S3", operation), ", ")
		return anchor.Failed("access_denied", "AWS does not allow %s on %s", action, s.objectURI(key)).Because(err).
			Hintf("Allow %s on the bucket %s to the role that Anchor runs as; without s3:ListBucket, S3 also returns this error for objects that do not exist.", action, s.Bucket)
	case status == http.StatusServiceUnavailable, status == http.StatusTooManyRequests:
		busy := anchor.Failed("s3_busy", "S3 throttles calls for the bucket %s", s.Bucket).Because(err).
			Hintf("Try again in a moment.")
		busy.Kind = anchor.KindBusy
		return busy
	}
	return anchor.Failed("s3", "%s of %s failed", operation, s.objectURI(key)).Because(err).
		Hintf("Try again. Files that have arrived are kept.")
}

// statusOf returns the HTTP status of S3's answer, or 0 when there was none.
func statusOf(err error) int {
	if e := (*awshttp.ResponseError)(nil); errors.As(err, &e) {
		return e.HTTPStatusCode()
	}
	return 0
}

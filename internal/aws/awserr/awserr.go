// Package awserr reads what AWS says of a call that failed, for whoever tells a user.
package awserr

import (
	"errors"
	"net/http"
	"slices"

	"github.com/aws/smithy-go"
)

// Code is the service's code of an error, "" when it has none: then nothing of AWS
// answered, or not so that it could be understood.
func Code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

// Is reports whether a service answered with one of the codes.
func Is(err error, codes ...string) bool {
	code := Code(err)
	return code != "" && slices.Contains(codes, code)
}

// Denied reports whether the caller has no permission. Each service has a code of its
// own for it; S3's answer to HEAD has no body, and so the name of its status.
func Denied(err error) bool {
	return Is(err, "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden")
}

// Stale reports whether somebody else changed it between the read and the write.
func Stale(err error) bool {
	return Is(err, "PreconditionFailed", "InvalidIfMatchVersion", "ConflictException")
}

// Crowded reports whether it was too much at once for the account. An answer without a
// code is known by its status.
func Crowded(err error) bool {
	var answer interface{ HTTPStatusCode() int } // ResponseError of smithy-go/transport/http
	if errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusTooManyRequests {
		return true
	}
	return Is(err, "TooManyInvalidationsInProgress", "Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown")
}

// Package awserr interprets the errors of failed AWS calls, for messages to users.
package awserr

import (
	"errors"
	"net/http"
	"slices"

	"github.com/aws/smithy-go"
)

// Code returns the service's code of an error, or "" when it has none: then AWS did not answer,
// or its answer could not be parsed.
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

// Denied reports whether the caller has no permission. Each service has its own code for that.
// S3's answer to HEAD has no body, so its code is the name of the status.
func Denied(err error) bool {
	return Is(err, "AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "Forbidden")
}

// Stale reports whether somebody else changed the resource between the read and the write.
func Stale(err error) bool {
	return Is(err, "PreconditionFailed", "InvalidIfMatchVersion", "ConflictException")
}

// Crowded reports whether the account has exceeded a rate. An answer without a code is recognized
// by its status.
func Crowded(err error) bool {
	var answer interface{ HTTPStatusCode() int } // ResponseError of smithy-go/transport/http
	if errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusTooManyRequests {
		return true
	}
	return Is(err, "TooManyInvalidationsInProgress", "Throttling", "ThrottlingException", "TooManyRequestsException", "SlowDown")
}

package awserr

import (
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// NewRetryer returns the SDK's standard retryer, which also repeats a call whose answer breaks off.
// The SDK does so for a connection that breaks before the answer begins, and takes one
// that breaks within it for a malformed answer; what the service did is as unknown in
// both cases.
func NewRetryer(options ...func(*retry.StandardOptions)) aws.Retryer {
	return retry.NewStandard(append([]func(*retry.StandardOptions){func(o *retry.StandardOptions) {
		o.Retryables = append(o.Retryables, retry.IsErrorRetryableFunc(brokenOff))
	}}, options...)...)
}

func brokenOff(err error) aws.Ternary {
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

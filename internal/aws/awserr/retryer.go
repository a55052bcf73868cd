package awserr

import (
	"errors"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

// NewRetryer returns the SDK's standard retryer, extended to retry a call whose answer breaks
// off. The SDK itself retries when the connection breaks before the answer begins, but treats an
// answer that breaks off as malformed. In both cases it is unknown what the service did.
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

package awstest

import (
	"errors"
	"slices"

	"github.com/aws/smithy-go"
)

// Made is err, or nil when it says that what should be made is there: MiniStack now and
// then cuts a connection before it answers, and the SDK's second try meets what the
// first one made. It is for set-up only.
func Made(err error) error {
	var api smithy.APIError
	if errors.As(err, &api) && slices.Contains([]string{"ResourceInUseException", "BucketAlreadyOwnedByYou"}, api.ErrorCode()) {
		return nil
	}
	return err
}

package awstest

import "github.com/anchor-deploy/anchor/internal/aws/awserr"

// Made is err, or nil when it says that what should be made is there: MiniStack now and
// then cuts a connection before it answers, and the SDK's second try meets what the
// first one made. It is for set-up only.
func Made(err error) error {
	if awserr.Is(err, "ResourceInUseException", "BucketAlreadyOwnedByYou") {
		return nil
	}
	return err
}

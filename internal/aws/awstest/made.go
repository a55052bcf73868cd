package awstest

import "github.com/anchor-deploy/anchor/internal/aws/awserr"

// Made returns err, or nil when err says that the resource exists already: now and then MiniStack
// cuts a connection before it answers, and the SDK's retry finds what the first call created. It
// is for set-up only.
func Made(err error) error {
	if awserr.Is(err, "ResourceInUseException", "BucketAlreadyOwnedByYou") {
		return nil
	}
	return err
}

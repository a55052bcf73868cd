package app

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/stack"
)

// AWS is what the commands on an AWS installation are told.
type AWS struct {
	Profile, Region string // "": as the AWS SDK finds them
	Stack           stack.Config
}

// Installation composes an installation on AWS, as found from this machine. It calls
// nothing of AWS.
func Installation(ctx context.Context, o AWS) (*stack.Installation, error) {
	aws, err := stack.LoadConfig(ctx, o.Profile, o.Region)
	if err != nil {
		return nil, err
	}
	c := o.Stack
	c.AWS = aws
	return stack.New(c)
}

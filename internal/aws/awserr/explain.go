package awserr

import (
	"context"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Explain returns an error that says what AWS did not do, with err as its cause. hint is for failures other than a
// missing permission. nil and the end of a context stay as they are.
func Explain(err error, what, hint string) error {
	switch {
	case err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return err
	case Denied(err):
		return anchor.Failed("aws_denied", "AWS refused to %s: %s is not allowed", what, Action(err)).
			Hintf("Run anchor aws bootstrap again, which grants it.").Because(err)
	}
	return anchor.Failed("aws_failed", "AWS did not %s", what).Hintf("%s", hint).Because(err)
}

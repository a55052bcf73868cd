//go:build !linux

package artifact

import "errors"

// exchangePaths would swap two files or folders in one step.
func exchangePaths(_, _ string) error { return errors.ErrUnsupported }

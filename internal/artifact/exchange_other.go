//go:build !linux

package artifact

import "errors"

// exchange would swap two files or folders in one step.
func exchange(_, _ string) error { return errors.ErrUnsupported }

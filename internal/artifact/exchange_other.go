//go:build !linux

package artifact

import (
	"errors"
	"os"
)

// exchangePaths would swap two files or folders in one step.
func exchangePaths(_, _ string) error { return errors.ErrUnsupported }

// renameNew is a call of Linux.
func renameNew(string, string) error { return errors.ErrUnsupported }

// spreadFolders is about a file system of Linux.
func spreadFolders(*os.File) {}

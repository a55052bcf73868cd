package atomicfile

import (
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
)

// Error is a failed write. It names the target file, not the temporary one.
type Error struct {
	Op, Path string
	Err      error
}

func (e *Error) Error() string {
	msg := fmt.Sprintf("cannot %s %s: %v", e.Op, e.Path, e.Err)
	if advice := advice(e.Err); advice != "" {
		msg += fmt.Sprintf(" (%s %s and try again)", advice, filepath.Dir(e.Path))
	}
	return msg
}

func (e *Error) Unwrap() error { return e.Err }

// explain keeps an Error as it is, so that the innermost step is the one named.
func explain(op, path string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	return &Error{Op: op, Path: path, Err: err}
}

func advice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC):
		return "the disk is full: free space or inodes on the file system of"
	case errors.Is(err, syscall.EDQUOT):
		return "the disk quota is used up: free or raise it for"
	case errors.Is(err, syscall.EROFS):
		return "the file system is read-only: check the disk and remount"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "give the user that runs Anchor write access to"
	}
	return ""
}

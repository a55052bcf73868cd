//go:build unix

package discovery

import (
	"errors"
	"syscall"
)

// processExists reports whether a process with that id exists, of whatever user.
func processExists(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

//go:build unix

package discovery

import (
	"errors"
	"syscall"
)

// runs reports whether a process of that id exists, whoever owns it.
func runs(pid int) bool {
	if pid <= 0 {
		return false
	}
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

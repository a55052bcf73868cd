//go:build unix

package worker

import (
	"os"
	"syscall"
)

// processAttributes puts a process in a group of its own, and under another user when there is one and we may.
func processAttributes(user *User) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if user != nil && os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: user.UID, Gid: user.GID}
	}
	return attr
}

// The errors of kill are not reported: the only one possible is that there is nothing left to signal.

func terminate(pid int) { _ = syscall.Kill(pid, syscall.SIGTERM) }
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

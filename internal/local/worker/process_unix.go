//go:build unix

package worker

import "syscall"

// The errors of kill are not reported: the only possible one is that there is nothing left to
// signal.

func terminateGroup(pid int) { _ = syscall.Kill(pid, syscall.SIGTERM) }
func killGroup(pid int)      { _ = syscall.Kill(-pid, syscall.SIGKILL) }

//go:build unix

package acme

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a hook and all its children in a process group that can be ended as a whole: hooks
// are scripts, and what hangs is usually the curl or sleep in them.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

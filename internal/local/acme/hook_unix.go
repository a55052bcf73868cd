//go:build unix

package acme

import (
	"os/exec"
	"syscall"
)

// ownGroup puts a hook and all it starts in a process group, which ends as a whole: hooks are scripts, and what hangs is
// mostly the curl or sleep in them.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}

//go:build unix

package cli

import (
	"os/exec"
	"syscall"
	"time"
)

// ownGroup puts a command and all that it starts in a process group, so that ending the group
// leaves none behind: npm and next start more processes.
func ownGroup(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		group := -cmd.Process.Pid
		time.AfterFunc(cmd.WaitDelay/2, func() { _ = syscall.Kill(group, syscall.SIGKILL) }) // gone is fine
		return syscall.Kill(group, syscall.SIGTERM)
	}
}

//go:build unix

package jail

import (
	"os"
	"os/exec"
	"syscall"
)

// startBare starts a program without an init process, in its own process group.
func (w Walls) startBare(s Spec, prepare func(*exec.Cmd), run func(*exec.Cmd) error) (*exec.Cmd, error) {
	cmd := exec.Command(s.Path, s.Args...)
	cmd.Dir, cmd.Env, cmd.ExtraFiles = s.Dir, s.Env, s.Files
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.User != nil && os.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: s.User.UID, Gid: s.User.GID}
	}
	prepare(cmd)
	return cmd, run(cmd)
}

// killGroup kills a process group. The only possible error is that it has ended already.
func killGroup(pid int) { _ = syscall.Kill(-pid, syscall.SIGKILL) }

package jail

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Start starts a program through run, which starts a command. prepare sets the command's standard
// streams. The command's process is the init process; the program's exit code becomes that
// process's, 128+n after signal n.
func (w Walls) Start(s Spec, prepare func(*exec.Cmd), run func(*exec.Cmd) error) (*exec.Cmd, error) {
	if !w.init {
		return w.startBare(s, prepare, run)
	}
	s.Level, s.Join = w.Level, w.group != nil
	letter, err := sealSpec(s)
	if err != nil {
		return nil, fmt.Errorf("describe the program to its init process: %w", err)
	}
	defer letter.Close()
	// The running file, even when another one has taken its name meanwhile.
	cmd := exec.Command("/proc/self/exe", strconv.Itoa(3+len(s.Files)))
	cmd.Args[0] = initName
	// This has nothing of the program's environment, which must not reach code that still has
	// rights.
	cmd.Env = []string{"GOMAXPROCS=1", "GOTRACEBACK=none"}
	cmd.ExtraFiles = append(append([]*os.File(nil), s.Files...), letter)
	if s.Join {
		cmd.ExtraFiles = append(cmd.ExtraFiles, w.group)
	}
	cmd.SysProcAttr = w.procAttributes()
	prepare(cmd)
	return cmd, run(cmd)
}

func (w Walls) procAttributes() *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if w.Level < Namespaced {
		return attr
	}
	attr.Cloneflags = unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS
	if w.Level == Namespaced {
		attr.Cloneflags |= unix.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
		// A user other than root loses the rights of a new user namespace at execve(2) unless they
		// are ambient.
		attr.AmbientCaps = []uintptr{unix.CAP_SYS_ADMIN}
	}
	return attr
}

// sealSpec puts s in a file without a name. A pipe would not hold a large environment, and others can
// read a command line.
func sealSpec(s Spec) (_ *os.File, err error) {
	fd, err := unix.MemfdCreate("jail", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(fd), "jail")
	if err = json.NewEncoder(file).Encode(s); err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// killPatience is how long an init process that shares its process table may take to end the
// processes it started.
const killPatience = time.Second

// Kill ends a program that Start started and everything the program started. gone is closed when
// the init process has been waited for.
func (w Walls) Kill(pid int, gone <-chan struct{}) {
	if !w.init || w.Level >= Namespaced {
		killGroup(pid) // the kernel ends a process table with its first process
		return
	}
	_ = unix.Kill(pid, endAll) // it may have ended
	go func() {
		select {
		case <-gone:
		case <-time.After(killPatience):
			killGroup(pid)
		}
	}()
}

package jail

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

const (
	initName   = "anchor-jail"
	initFailed = 125          // exit code when the program could not be started
	endAll     = unix.SIGQUIT // asks an init process to end the program and all that it started
)

// An executable that contains this package becomes an init process here, before packages that such
// a process does not need are initialized. This keeps a start cheap.
func init() {
	if len(os.Args) != 2 || os.Args[0] != initName {
		return
	}
	// Rights belong to a thread on Linux. The kernel judges signals to the process by its first
	// thread, which therefore stays without the program's Landlock rules; the program is started
	// from another one, see launchProgram.
	runtime.LockOSThread()
	code, err := runInit(os.Args[1])
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", initName, err)
		code = initFailed
	}
	syscall.Exit(code) // os.Exit would wait a second first under the race detector (GORACE, atexit_sleep_ms)
}

// runInit is the init process. arg names the descriptor of the letter that describes the program.
func runInit(arg string) (code int, err error) {
	fd, err := strconv.Atoi(arg)
	if err != nil {
		return 0, err
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, endAll)
	s, err := openLetter(fd)
	if err != nil {
		return 0, fmt.Errorf("read what to start: %w", err)
	}
	if s.Join {
		if err := joinGroup(fd + 1); err != nil {
			return 0, fmt.Errorf("join the control group: %w", err)
		}
	}
	if err := s.confineSelf(); err != nil {
		return 0, err
	}
	pid, ended, err := s.launchProgram()
	if err != nil {
		return 0, fmt.Errorf("start %s: %w", s.Path, err)
	}
	if err := s.Limits.setProgram(pid); err != nil {
		return 0, err
	}
	if err := dropCapabilities(); err != nil {
		return 0, err
	}
	closeStreams(len(s.Files))
	return attendProgram(s, pid, ended, signals), nil
}

func openLetter(fd int) (s Spec, err error) {
	letter := os.NewFile(uintptr(fd), "jail")
	if letter == nil {
		return s, errors.New("no such descriptor")
	}
	defer letter.Close()
	if err := json.NewDecoder(letter).Decode(&s); err != nil {
		return s, err
	}
	s.Files = nil
	for n := 3; n < fd; n++ {
		s.Files = append(s.Files, os.NewFile(uintptr(n), "inherited"))
	}
	keepFrom(fd + 1)
	return s, nil
}

// keepFrom closes the descriptors from first on for the program. Anchor may have been started, by a
// shell or a supervisor, with some that stay open across execve(2), and a folder among them would
// be a way out of the program's root.
func keepFrom(first int) {
	if unix.CloseRange(uint(first), math.MaxInt32, unix.CLOSE_RANGE_CLOEXEC) == nil {
		return
	}
	const usualLimit = 1024 // Linux before 5.11 has no such call
	for fd := first; fd < usualLimit; fd++ {
		unix.CloseOnExec(fd)
	}
}

// joinGroup moves this process to the control group whose cgroup.procs fd is. Anchor cannot start it
// there: that takes clone3(2), which systemd's RestrictNamespaces= refuses.
func joinGroup(fd int) error {
	members := os.NewFile(uintptr(fd), "cgroup.procs")
	if members == nil {
		return errors.New("no such descriptor")
	}
	_, err := members.WriteString("0") // the process that writes (cgroups(7))
	return errors.Join(err, members.Close())
}

// confineSelf removes the rights of this process that the program must not have either, except for the
// rules of launch.
func (s Spec) confineSelf() error {
	if s.Level >= Namespaced {
		if err := s.enterRoot(); err != nil {
			return err
		}
	} else if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("become the parent of orphans: %w", err)
	}
	if err := os.Chdir(s.Dir); err != nil {
		return err
	}
	if err := s.Limits.set(); err != nil {
		return err
	}
	if err := s.becomeUser(); err != nil {
		return err
	}
	return s.dieWithParent()
}

// dieWithParent makes this process end with Anchor. A change of user cleared the earlier setting
// (prctl(2)).
func (s Spec) dieWithParent() error {
	how := endAll
	if s.Level >= Namespaced {
		how = unix.SIGKILL
	}
	if err := unix.Prctl(unix.PR_SET_PDEATHSIG, uintptr(how), 0, 0, 0); err != nil {
		return fmt.Errorf("ask to end with the parent: %w", err)
	}
	// Anchor holds the other end of standard input. It may have ended before the signal was asked
	// for.
	stdin := []unix.PollFd{{Fd: 0}}
	if n, err := unix.Poll(stdin, 0); err == nil && n > 0 && stdin[0].Revents&unix.POLLHUP != 0 {
		return errors.New("the parent has ended")
	}
	return nil
}

// launchProgram starts the program from a thread that has dropped its rights, as the program inherits
// them. It returns the program's process id and a channel on which its end is reported.
func (s Spec) launchProgram() (pid int, ended <-chan int, err error) {
	started, end := make(chan error), make(chan int, 1)
	go func() {
		runtime.LockOSThread() // for as long as this process lives: the program ends with this thread
		if err := s.restrictThread(); err != nil {
			started <- err
			return
		}
		var err error
		pid, err = syscall.ForkExec(s.Path, append([]string{s.Path}, s.Args...), &syscall.ProcAttr{
			Env: s.Env, Files: s.fileDescriptors(),
			Sys: &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL},
		})
		started <- err
		if err == nil {
			end <- reapChildren(pid)
		}
	}()
	err = <-started
	return pid, end, err
}

func (s Spec) fileDescriptors() []uintptr {
	fds := []uintptr{0, 1, 2}
	for _, f := range s.Files {
		fds = append(fds, f.Fd())
	}
	return fds
}

// restrictThread limits what the calling thread and all its children may do.
func (s Spec) restrictThread() error {
	if s.Level < Filtered {
		return nil
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	// Without it only root could apply the rules below, and setuid programs would escape them.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("renounce new privileges: %w", err)
	}
	if err := s.restrictFiles(); err != nil {
		return err
	}
	return filterCalls()
}

// closeStreams closes the init process's copies of the program's streams, so that they close when
// the program closes them.
func closeStreams(files int) {
	if null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0); err == nil {
		for fd := range 3 {
			_ = unix.Dup3(null, fd, 0)
		}
		_ = unix.Close(null)
	}
	for fd := 3; fd < 3+files; fd++ {
		_ = unix.Close(fd)
	}
}

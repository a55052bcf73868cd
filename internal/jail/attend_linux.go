package jail

import (
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// attend passes signals on to the program until it has ended, and returns its exit code.
func attend(s Spec, pid int, ended <-chan int, signals <-chan os.Signal) int {
	for {
		select {
		case code := <-ended:
			if s.Level < Namespaced { // else the kernel does it
				endDescendants()
			}
			return code
		case sig := <-signals:
			if sig == endAll {
				_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
				continue
			}
			_ = unix.Kill(pid, sig.(unix.Signal))
		}
	}
}

// reap waits for children, of which orphans become some, until the program has ended. It returns the program's exit
// code: 128+n after signal n.
func reap(program int) int {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == unix.EINTR:
		case err != nil:
			return initFailed
		case pid == program && status.Signaled():
			return 128 + int(status.Signal())
		case pid == program:
			return status.ExitStatus()
		}
	}
}

// endDescendants kills everything below this process. What it kills leaves its children to this process, so the
// loop ends when there are none.
func endDescendants() {
	for {
		for _, pid := range Descendants(os.Getpid()) {
			_ = unix.Kill(pid, unix.SIGKILL) // it may have ended
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(-1, &status, 0, nil); err != nil && err != unix.EINTR {
			return
		}
	}
}

// Program returns the process id of the program whose init process is pid: pid itself without an init process, or when
// the program has ended.
func (w Walls) Program(pid int) int {
	if !w.init {
		return pid
	}
	// The init process forks on its main thread only, and the program first: orphans come after it.
	if below := Descendants(pid); len(below) > 0 {
		return below[0]
	}
	return pid
}

// Descendants returns the ids of all processes below pid, parents first.
func Descendants(pid int) []int {
	var below []int
	tasks, err := os.ReadDir("/proc/" + strconv.Itoa(pid) + "/task")
	if err != nil {
		return nil // it has ended
	}
	for _, task := range tasks {
		list, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/task/" + task.Name() + "/children")
		if err != nil {
			continue
		}
		for field := range strings.FieldsSeq(string(list)) {
			if child, err := strconv.Atoi(field); err == nil {
				below = append(append(below, child), Descendants(child)...)
			}
		}
	}
	return below
}

package jail

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// attendProgram forwards signals to the program until it has ended, and returns its exit code.
func attendProgram(s Spec, pid int, ended <-chan int, signals <-chan os.Signal) int {
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

// reapChildren waits for children, including orphans, until the program has ended. It returns the program's
// exit code: 128+n after signal n.
func reapChildren(program int) int {
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

// endDescendants kills everything below this process. The children of a killed process become
// children of this one, so the loop ends when there are none.
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

// Program returns the process id of the program whose init process is pid: pid itself without an
// init process, or when the program has ended.
func (w Walls) Program(pid int) int {
	if !w.init {
		return pid
	}
	for _, thread := range listThreads(pid) {
		// The init process starts the program from a separate thread; orphans become children of
		// the main one.
		if below := listChildren(pid, thread); thread != pid && len(below) > 0 {
			return below[0]
		}
	}
	return pid
}

// Descendants returns the ids of all processes below pid, parents first.
func Descendants(pid int) []int {
	var below []int
	for _, thread := range listThreads(pid) {
		for _, child := range listChildren(pid, thread) {
			below = append(append(below, child), Descendants(child)...)
		}
	}
	return below
}

// listThreads returns the ids of a process's threads, or none when it has ended.
func listThreads(pid int) []int {
	tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	if err != nil {
		return nil
	}
	ids := make([]int, 0, len(tasks))
	for _, task := range tasks {
		if id, err := strconv.Atoi(task.Name()); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// listChildren returns the ids of the processes that a thread has started or adopted.
func listChildren(pid, thread int) []int {
	list, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, thread))
	if err != nil {
		return nil // the thread has ended
	}
	var ids []int
	for field := range strings.FieldsSeq(string(list)) {
		if id, err := strconv.Atoi(field); err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

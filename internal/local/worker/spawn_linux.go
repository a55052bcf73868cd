package worker

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// spawner is the one thread that starts all processes. The kernel sends the parent-death signal
// when the thread that started a process ends (prctl(2), PR_SET_PDEATHSIG), so that thread must
// last as long as Anchor does.
var spawner = sync.OnceValue(func() chan func() {
	jobs := make(chan func())
	go spawnJobs(jobs)
	return jobs
})

// Niceness is what processes have more than Anchor (nice(1)): the edge answers many requests for each that a process
// renders, and a switch waits for it. Where workers have control groups of their own it counts within those only.
const Niceness = 5

// spawnJobs lowers the priority of its thread: what it starts, and all threads of that, inherit it, whereas
// setpriority(2) of a process that runs reaches one thread.
func spawnJobs(jobs <-chan func()) {
	runtime.LockOSThread()
	if now, err := unix.Getpriority(unix.PRIO_PROCESS, 0); err == nil {
		const zero = 20                                                        // of what the system call returns for nice values
		_ = unix.Setpriority(unix.PRIO_PROCESS, 0, min(zero-now+Niceness, 19)) // without it they run as well
	}
	for job := range jobs {
		job()
	}
}

// start runs cmd so that it dies with Anchor even while its event loop is stuck and does not see
// stdin close.
func start(cmd *exec.Cmd) error {
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	result := make(chan error, 1)
	spawner() <- func() { result <- cmd.Start() }
	return <-result
}

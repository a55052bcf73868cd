package worker

import (
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// spawner is the one thread that starts all processes. The kernel sends the parent-death signal
// when the thread that started a process ends (prctl(2), PR_SET_PDEATHSIG), so that thread must
// last as long as Anchor does.
var spawner = sync.OnceValue(func() chan func() {
	jobs := make(chan func())
	go spawnJobs(jobs)
	return jobs
})

func spawnJobs(jobs <-chan func()) {
	runtime.LockOSThread()
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

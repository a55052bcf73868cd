package worker

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// Stats is the state of a pool at one moment.
type Stats struct {
	Processes int   `json:"processes"` // up and able to serve
	Starting  int   `json:"starting"`  // importing the bundle
	InFlight  int   `json:"inFlight"`  // requests being answered
	Queued    int   `json:"queued"`    // requests waiting for a process
	Restarts  int   `json:"restarts"`  // processes that ended by themselves, since the pool was made
	RSS       int64 `json:"rss"`       // resident memory of the processes, bytes (Linux; elsewhere 0)
}

// Stats returns the present state.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	s := Stats{Processes: len(p.procs), Starting: p.starting, Queued: len(p.waiters), Restarts: p.restarts}
	pids := make([]int, 0, len(p.procs))
	for _, pr := range p.procs {
		s.InFlight += pr.inFlight
		pids = append(pids, pr.cmd.Process.Pid)
	}
	p.mu.Unlock()
	for _, pid := range pids {
		s.RSS += residentBytes(pid)
		for _, child := range jail.Descendants(pid) {
			s.RSS += residentBytes(child)
		}
	}
	return s
}

// residentBytes reads the second field of /proc/<pid>/statm, proc_pid_statm(5): resident pages.
func residentBytes(pid int) int64 {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

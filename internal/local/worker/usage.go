package worker

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// Usage is what the processes of a pool have used since the pool was made, and how they fare.
type Usage struct {
	Launched int64         // processes that were started
	Refused  int64         // requests that no process took
	CPU      time.Duration // of the processes and of what they have started (Linux; elsewhere of those that have ended)

	Collecting  time.Duration // garbage, in the main thread
	Collections int64

	// Of the processes that had requests lately; 0 without one.
	DelayMedian, DelayP99, DelayMax time.Duration // of the event loop, the worst process's
	Heap                            int64         // octets
}

// vitals is a report of a process. The app could write one too, so nothing but metrics depends on it.
type vitals struct {
	P50         float64 `json:"p50"` // seconds
	P99         float64 `json:"p99"`
	Max         float64 `json:"max"`
	Collecting  float64 `json:"collecting"` // seconds since its start
	Collections int64   `json:"collections"`
	Heap        int64   `json:"heap"`

	at time.Time
}

// vitalsLast is for how long a report describes the present.
const vitalsLast = 15 * time.Second

func (pr *process) setVitals(v vitals) {
	v.at = time.Now()
	pr.vitals.Store(&v)
}

// FunctionName returns Spec.Name.
func (p *Pool) FunctionName() string { return p.spec.Name }

// Usage returns the present state.
func (p *Pool) Usage() Usage {
	p.mu.Lock()
	u := p.ended
	u.Launched = p.launched
	pids := make([]int, 0, len(p.procs))
	for _, pr := range p.procs {
		pids = append(pids, pr.cmd.Process.Pid)
		u.addVitals(pr)
	}
	p.mu.Unlock()
	u.Refused = p.refused.Load()
	for _, pid := range pids {
		u.CPU += processorTime(pid)
		for _, child := range jail.Descendants(pid) {
			u.CPU += processorTime(child)
		}
	}
	return p.keepRising(u)
}

// keepRising returns u with sums that are not below those that were returned before: a process that is
// being stopped is not seen until it has ended.
func (p *Pool) keepRising(u Usage) Usage {
	p.mu.Lock()
	defer p.mu.Unlock()
	u.CPU, u.Collecting, u.Collections = max(u.CPU, p.seen.CPU), max(u.Collecting, p.seen.Collecting), max(u.Collections, p.seen.Collections)
	p.seen = u
	return u
}

// addEnded adds what a process has used to the sum of the pool. It is called once, when the process has
// ended. Callers hold mu.
func (p *Pool) addEnded(pr *process) {
	if state := pr.cmd.ProcessState; state != nil {
		p.ended.CPU += state.UserTime() + state.SystemTime()
	}
	if v := pr.vitals.Load(); v != nil {
		p.ended.addCollections(v)
	}
}

func (u *Usage) addCollections(v *vitals) {
	u.Collecting += seconds(v.Collecting)
	u.Collections += max(v.Collections, 0)
}

func (u *Usage) addVitals(pr *process) {
	v := pr.vitals.Load()
	if v == nil {
		return
	}
	u.addCollections(v)
	if time.Since(v.at) > vitalsLast {
		return
	}
	u.DelayMedian, u.DelayP99, u.DelayMax = max(u.DelayMedian, seconds(v.P50)), max(u.DelayP99, seconds(v.P99)), max(u.DelayMax, seconds(v.Max))
	u.Heap += max(v.Heap, 0)
}

// seconds returns n seconds, within 0 and a day.
func seconds(n float64) time.Duration {
	if !(n > 0) { // NaN is not
		return 0
	}
	return time.Duration(min(n, 24*60*60) * float64(time.Second))
}

// tick is the unit of times in /proc: USER_HZ is 100 on all architectures that Go supports.
const tick = 10 * time.Millisecond

// processorTime reads how long a process, and those of its children that it has waited for, ran:
// utime, stime, cutime and cstime of /proc/<pid>/stat (proc_pid_stat(5)). 0 when it has ended.
func processorTime(pid int) (total time.Duration) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// The name stands in parentheses and may contain some.
	fields := bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
	const utime, cstime = 14 - 3, 17 - 3 // the first field after the name is the third
	if len(fields) <= cstime {
		return 0
	}
	for _, field := range fields[utime : cstime+1] {
		n, err := strconv.ParseInt(string(field), 10, 64)
		if err != nil {
			return 0
		}
		total += time.Duration(n) * tick
	}
	return total
}

package worker

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// silence is the time in which a process sent no sign of life. On a machine with more work than
// processors a process is silent because it waits for one, and is not blocked. So a silence counts
// only once the process has had a quarter of it for itself: on a processor, or asleep, or stopped
// by a signal, but not waiting for a processor.
type silence struct {
	pid    int
	tick   time.Duration // between two looks; a sign of life is due in each
	ticks  int           // in a row without one
	since  time.Time     // when waited was read
	waited time.Duration // for a processor, since the process began
}

// baseline is the tick at which the time that a process has waited for a processor is recorded.
// Most silences are over before.
const baseline = 2

// endSilence records a sign of life.
func (s *silence) endSilence() { s.ticks = 0 }

// goesOn records that another tick passed without one.
func (s *silence) goesOn() {
	s.ticks++
	if s.ticks == baseline {
		s.since, s.waited = time.Now(), runDelay(s.pid)
	}
}

// lastsFor reports whether the silence has lasted for limit, and counts.
func (s *silence) lastsFor(limit time.Duration) bool {
	if s.ticks <= baseline || time.Duration(s.ticks)*s.tick < limit {
		return false
	}
	own := time.Since(s.since) - (runDelay(s.pid) - s.waited)
	return own >= (limit-baseline*s.tick)/4
}

// runDelay returns how long the main thread of a process was ready to run and waited for a
// processor: the second field of /proc/<pid>/schedstat, nanoseconds
// (Documentation/scheduler/sched-stats.rst). 0 where the system does not count it.
func runDelay(pid int) time.Duration {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid))
	if err != nil {
		return 0
	}
	fields := bytes.Fields(data)
	if len(fields) < 2 {
		return 0
	}
	delay, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return time.Duration(delay)
}

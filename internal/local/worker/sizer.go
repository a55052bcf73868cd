package worker

import (
	"bytes"
	"os"
	"strconv"
	"sync"
	"time"
)

// The size of a pool follows the requests in flight (Spec.Concurrency), and the event loops: a page
// that takes much processor time fills a loop with two or three requests. The thresholds and times
// lie apart, so that a pool does not start and stop a process in turns.
const (
	busyLoop  = 0.9 // utilization from which a loop is busy
	growAfter = time.Second
	growPause = 5 * time.Second // between two starts: a process needs as long to take its share
	spareLoop = 0.5             // the most utilization of those that would be left, on average, when one ends
	loadLasts = time.Second     // for which a report describes the present; an idle process sends none
)

// pace is a report of a process about its event loop since the last one. The app could write one, too: a wrong
// one affects only its own pool, within its bounds.
type pace struct {
	utilization float64       // share of the time in which it ran code: 0 to 1
	span        time.Duration // that time
	delay       time.Duration // by which its latest timer was late
}

func (r pace) isBusy() bool { return r.utilization >= busyLoop }

// paceOf returns what a process has written: a share and two numbers of milliseconds.
func paceOf(utilization, span, delay float64) pace {
	if !(utilization >= 0) { // NaN is not
		utilization = 0
	}
	return pace{min(utilization, 1), max(seconds(span/1000), time.Millisecond), seconds(delay / 1000)}
}

// loop is the event loop of a process that takes requests.
type loop struct {
	utilization float64       // share of the last moment in which it ran code: 0 to 1
	at          time.Time     // when that was reported
	busySince   time.Time     // zero while it is not busy
	ran, passed time.Duration // since then, by later reports
	reported    time.Time     // the latest of them
}

// note takes up a report. Several make a moment: each is about a short time.
func (l *loop) note(now time.Time, r pace) {
	if now.Sub(l.reported) > loadLasts { // it was idle
		l.ran, l.passed = 0, 0
	}
	l.reported = now
	l.ran += time.Duration(r.utilization * float64(r.span))
	l.passed += r.span
	if l.passed < beatEvery {
		return
	}
	l.utilization, l.at = float64(l.ran)/float64(l.passed), now
	l.ran, l.passed = 0, 0
	switch {
	case l.utilization < busyLoop:
		l.busySince = time.Time{}
	case l.busySince.IsZero():
		l.busySince = now
	}
}

// present returns the utilization now.
func (l *loop) present(now time.Time) float64 {
	if now.Sub(l.at) > loadLasts {
		return 0
	}
	return l.utilization
}

// sizer decides when the loops of a pool call for another process, or for one less.
type sizer struct {
	grown      time.Time
	spareSince time.Time // zero while all processes are needed
}

// wantsMore reports whether another process would help: every loop has been busy for a while. Requests
// have to be more than processes, as one request runs on one loop.
func (s *sizer) wantsMore(now time.Time, loops []*loop, inFlight int) bool {
	if len(loops) == 0 || inFlight <= len(loops) || now.Sub(s.grown) < growPause {
		return false
	}
	for _, l := range loops {
		if l.busySince.IsZero() || now.Sub(l.busySince) < growAfter || l.present(now) < busyLoop {
			return false
		}
	}
	s.grown = now
	return true
}

// wantsLess reports whether one process could have been spared for all of the time after.
func (s *sizer) wantsLess(now time.Time, loops []*loop, after time.Duration) bool {
	var sum float64
	for _, l := range loops {
		sum += l.present(now)
	}
	if len(loops) < 2 || sum > spareLoop*float64(len(loops)-1) {
		s.spareSince = time.Time{}
		return false
	}
	if s.spareSince.IsZero() {
		s.spareSince = now
	}
	if now.Sub(s.spareSince) < after {
		return false
	}
	s.spareSince = time.Time{}
	return true
}

// noteLoad takes up a report of a process, and starts another one or ends one.
func (p *Pool) noteLoad(pr *process, r pace) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	pr.loop.note(now, r)
	pr.congestion.note(r, pr.inFlight, pr.taken, p.spec.Concurrency)
	p.serveQueue()
	p.trimQueue(now)
	if p.closed || p.draining || p.starting > 0 {
		return
	}
	var loops []*loop
	inFlight := len(p.waiters)
	for _, pr := range p.procs {
		if pr.isAble() {
			loops = append(loops, &pr.loop)
			inFlight += pr.inFlight
		}
	}
	switch n := len(loops); {
	case n < p.maxByCPU() && p.countRoom() > 0 && p.backoff.remainingPause(true) == 0 &&
		p.sizer.wantsMore(now, loops, inFlight) && p.hasFreeCPU():
		p.start()
	case n > max(p.min, 1) && inFlight <= (n-1)*p.spec.Concurrency && p.sizer.wantsLess(now, loops, p.spec.IdleAfter):
		p.yieldLeast()
	}
}

// maxByCPU returns how many processes the cores that the project may use keep busy. Callers hold mu.
func (p *Pool) maxByCPU() int {
	if p.spec.Group == nil || p.spec.Group.Limits().CPUMillis <= 0 {
		return p.spec.Max
	}
	return min(p.spec.Max, max(1, int((p.spec.Group.Limits().CPUMillis+999)/1000)))
}

// freeShare is the share of all processor time that is idle from which a process more gets some.
const freeShare = 0.1

// processors is how much processor time the machine had, and had left, when it was last looked at.
type processors struct {
	mu          sync.Mutex
	total, idle uint64
	free        bool
	at          time.Time
}

var machine processors

// hasFree reports whether processors were idle for a part of the time since the last look. On a system
// without /proc/stat they always are.
func (m *processors) hasFree() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if time.Since(m.at) < growAfter {
		return m.free
	}
	total, idle, ok := readProcessors()
	before, idleBefore := m.total, m.idle
	m.total, m.idle, m.at = total, idle, time.Now()
	m.free = !ok || total <= before || float64(idle-idleBefore) >= freeShare*float64(total-before)
	return m.free
}

// readProcessors reads the first line of /proc/stat: user, nice, system, idle, iowait, … in ticks
// (proc_stat(5)).
func readProcessors() (total, idle uint64, ok bool) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, 0, false
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) < 6 {
		return 0, 0, false
	}
	const idleField, iowaitField, guestField = 4, 5, 9 // guest time is part of user time
	for i, field := range fields[1:min(len(fields), guestField)] {
		n, err := strconv.ParseUint(string(field), 10, 64)
		if err != nil {
			return 0, 0, false
		}
		total += n
		if i+1 == idleField || i+1 == iowaitField {
			idle += n
		}
	}
	return total, idle, true
}

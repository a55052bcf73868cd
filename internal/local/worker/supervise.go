package worker

import (
	"fmt"
	"time"
)

const (
	// beatEvery is the time between two signs of life of a process that has requests in flight.
	beatEvery = 250 * time.Millisecond
	// lateAfter is how long such a process may send none before new requests go elsewhere.
	lateAfter = time.Second
	// calmAfter is how long a process is watched like this after its last request. It is less than
	// the time for which the bootstrap continues its signs.
	calmAfter = 3 * time.Second
	// lastCall is how long a process that has announced its end takes requests while there is no
	// other. leaveWithin is how long it may take altogether to end what is in flight.
	lastCall    = 5 * time.Second
	leaveWithin = 15 * time.Second
)

// calmTick returns the time between two signs of life of an idle process, which is not woken more
// often than necessary to find it blocked.
func (p *Pool) calmTick() time.Duration { return p.spec.HangAfter / 4 }

// superviseProcess watches a process that is ready, until it has ended. It sends no requests to one whose
// event loop is blocked, kills one that stays blocked for Spec.HangAfter, and replaces one that
// announces its end.
//
// Silence is counted in ticks of our own clock. The ticker drops those that we are too late for:
// when Anchor or the machine stood still, the process is not to blame.
func (p *Pool) superviseProcess(pr *process) {
	quiet := silence{pid: pr.walls.Program(pr.cmd.Process.Pid), tick: p.calmTick()}
	ticker := time.NewTicker(quiet.tick)
	defer ticker.Stop()
	watch := func(every time.Duration) {
		quiet = silence{pid: quiet.pid, tick: every}
		ticker.Reset(every)
	}
	for {
		select {
		case <-pr.gone:
			return
		case why := <-pr.farewell:
			p.replaceProcess(pr, why)
		case <-pr.busy:
			watch(beatEvery)
		case <-pr.beats:
			quiet.endSilence()
			p.markAnswering(pr)
		case <-ticker.C:
			quiet.goesOn()
			p.judgeSilence(pr, &quiet)
			if quiet.tick == beatEvery && p.isCalm(pr) {
				watch(p.calmTick())
			}
		}
	}
}

// judgeSilence acts on a silence.
func (p *Pool) judgeSilence(pr *process, quiet *silence) {
	late := lateAfter
	if quiet.tick != beatEvery {
		late = p.spec.HangAfter / 2
	}
	switch {
	case quiet.lastsFor(p.spec.HangAfter):
		if !pr.isGone() {
			p.logLine("error", fmt.Sprintf("process killed: its event loop was blocked for %s", p.spec.HangAfter))
			pr.killAll()
			<-pr.gone
		}
	case quiet.lastsFor(late):
		p.markLate(pr)
	}
}

// isCalm reports whether a process has been idle for calmAfter and is to be watched as an idle one.
// One that does not answer is not idle, whatever is in flight.
func (p *Pool) isCalm(pr *process) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pr.inFlight > 0 || pr.late || time.Since(pr.idleSince) < calmAfter {
		return false
	}
	pr.watched = false
	return true
}

// isAble reports whether the process may get requests of visitors. Callers hold Pool.mu.
func (pr *process) isAble() bool { return !pr.aside && pr.isSound() }

// isApart reports whether the process may get suspects. Callers hold Pool.mu.
func (pr *process) isApart() bool { return pr.aside && pr.isSound() }

func (pr *process) isSound() bool {
	return !pr.doubted && !pr.late && !pr.leaving && !pr.yielding && !pr.isGone()
}

// takesLast reports whether the process, though it has announced its end, may get requests that no
// other takes. Callers hold Pool.mu.
func (pr *process) takesLast() bool {
	return pr.leaving && !pr.doubted && !pr.late && time.Now().Before(pr.lastCall) && !pr.isGone()
}

// markLate stops sending new requests to a process until it answers again.
func (p *Pool) markLate(pr *process) {
	p.mu.Lock()
	news := !pr.late
	pr.late = true
	if news {
		p.scaleUp()
	}
	p.mu.Unlock()
	if news {
		p.logLine("warn", fmt.Sprintf("a process has not answered for %s; new requests go to another", lateAfter))
	}
}

// markDoubted stops sending new requests to a process that has broken a connection, until it sends a sign
// of life: its connections break before its end is known. Call it before the request is released.
func (p *Pool) markDoubted(pr *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr.doubted = true
}

// markAnswering records a sign of life.
func (p *Pool) markAnswering(pr *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pr.late || pr.doubted {
		pr.late, pr.doubted = false, false
		p.serveQueue()
		p.scheduleReap()
		p.dismissLeaving()
	}
}

// replaceProcess starts another process to replace one that has announced its end. The old one is stopped
// once the new one is there and nothing is in flight on it, and killed when that takes longer than
// leaveWithin.
func (p *Pool) replaceProcess(pr *process, why string) {
	p.mu.Lock()
	if pr.stopping || pr.leaving {
		p.mu.Unlock()
		return
	}
	pr.leaving, pr.lastCall = true, time.Now().Add(lastCall)
	p.backoff.recordCrash(time.Since(pr.started))
	p.scaleUp()
	p.dismissLeaving()
	p.mu.Unlock()
	p.logLine("warn", fmt.Sprintf("a process is about to end (%s); another takes its place", why))
	p.tasks.Go(func() { p.seeOff(pr) })
}

// seeOff enforces the time limits of a process that is leaving.
func (p *Pool) seeOff(pr *process) {
	begun := time.Now()
	for _, limit := range []time.Duration{lastCall, leaveWithin} {
		select {
		case <-time.After(time.Until(begun.Add(limit))):
		case <-pr.gone:
			return
		}
		p.mu.Lock()
		p.dismissLeaving()
		p.mu.Unlock()
	}
	p.logLine("error", fmt.Sprintf("process killed: it wanted to end and was still at work after %s", leaveWithin))
	pr.killProcess()
}

// dismissLeaving stops processes that have announced their end or make room for another pool's, if nothing
// is in flight on them and they are no longer needed. Callers hold mu.
func (p *Pool) dismissLeaving() {
	for _, pr := range append([]*process(nil), p.procs...) {
		needed := pr.inFlight > 0 || pr.takesLast() && p.wantsAnother()
		if (pr.leaving || pr.yielding) && !needed {
			p.retireProcess(p.ctx, pr)
		}
	}
}

// wantsAnother reports whether the pool waits for a process to start. Callers hold mu.
func (p *Pool) wantsAnother() bool {
	return p.leastLoaded((*process).isAble) == nil && (p.starting > 0 || p.countMissing() > 0)
}

package worker

import (
	"context"
	"fmt"
	"time"
)

// turn is a request that a process has taken: its number among those of the process.
type turn struct {
	*process
	number int64
}

// acquireProcess returns the process for a request, and waits in the queue for one when necessary. The
// caller returns it with releaseProcess. A request whose process ended under it is suspected to have ended
// it: it goes to a process aside, which serves no other visitors.
func (p *Pool) acquireProcess(ctx context.Context, suspect bool) (turn, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return turn{}, ErrClosed
	}
	if pr := p.chooseProcess(suspect); pr != nil {
		t := pr.beginRequest()
		if pr.inFlight > p.spec.Concurrency {
			p.scaleUp()
		}
		p.mu.Unlock()
		return t, nil
	}
	w, err := p.enqueueRequest(suspect)
	p.mu.Unlock()
	if err != nil {
		return turn{}, err
	}
	return p.wait(ctx, w)
}

// chooseProcess returns the process for the next request, or nil when none has room. A process that has
// announced its end takes requests as long as there is no other.
func (p *Pool) chooseProcess(suspect bool) *process {
	if suspect && (p.countProcesses((*process).isApart) > 0 || p.countRoom() > 0 || p.starting > 0 || p.countProcesses((*process).mayEnd) > 0) {
		return p.chooseApart()
	}
	if pr := p.leastLoaded((*process).isAble); pr != nil {
		return pr
	}
	return p.leastLoaded((*process).takesLast)
}

// mayEnd reports whether a process has broken a connection. It ends, which makes room for one that
// is aside, or it sends a sign of life; the queue is served in both cases.
func (pr *process) mayEnd() bool { return pr.doubted || pr.isGone() }

// chooseApart returns the process for a suspect. It takes one suspect at a time, so that only the
// culprit ends a process, and several at a time when many wait.
func (p *Pool) chooseApart() *process {
	pr := p.leastLoaded((*process).isApart)
	if pr != nil && pr.inFlight >= max(1, p.countSuspects()/p.spec.Concurrency) {
		return nil
	}
	return pr
}

// countSuspects returns how many of the waiting requests are suspected to have ended a process. Callers
// hold mu.
func (p *Pool) countSuspects() (n int) {
	for _, w := range p.waiters {
		if w.suspect {
			n++
		}
	}
	return n
}

// leastLoaded prefers the older of two equals, so that under little load the younger ones become
// idle.
func (p *Pool) leastLoaded(usable func(*process) bool) *process {
	var best *process
	for _, pr := range p.procs {
		if pr.inFlight < p.limitOf(pr) && (best == nil || pr.inFlight < best.inFlight) && usable(pr) {
			best = pr
		}
	}
	return best
}

// enqueueRequest puts a request in the queue, or returns why it cannot. Callers hold mu.
func (p *Pool) enqueueRequest(suspect bool) (*waiter, error) {
	if p.draining && len(p.procs) == 0 {
		return nil, ErrClosed
	}
	if len(p.procs) == 0 && p.starting == 0 {
		if err := p.backoff.hopelessReason(); err != nil {
			return nil, &busyError{why: "the app does not start", retryAfter: p.backoff.remainingPause(true), err: err}
		}
	}
	if len(p.waiters) >= p.queueLimit() {
		return nil, p.errCrowded(len(p.waiters))
	}
	w := &waiter{suspect: suspect, since: time.Now(), answer: make(chan grant, 1)}
	p.waiters = append(p.waiters, w)
	p.scaleUp()
	return w, nil
}

// errCrowded refuses a request because of those that wait.
func (p *Pool) errCrowded(waiting int) error {
	return &busyError{why: fmt.Sprintf("all processes are busy and %d requests wait already", waiting), retryAfter: time.Second}
}

func (p *Pool) wait(ctx context.Context, w *waiter) (turn, error) {
	timeout := time.NewTimer(p.spec.QueueTimeout)
	defer timeout.Stop()
	select {
	case g := <-w.answer:
		return g.turn, g.err
	case <-ctx.Done():
		p.leaveQueue(w)
		return turn{}, ctx.Err()
	case <-timeout.C:
		p.leaveQueue(w)
		return turn{}, &busyError{why: fmt.Sprintf("no process had room within %s", p.spec.QueueTimeout), retryAfter: 2 * time.Second}
	}
}

// leaveQueue removes a request from the queue, and returns the process that it was granted meanwhile.
func (p *Pool) leaveQueue(w *waiter) {
	p.mu.Lock()
	for i, other := range p.waiters {
		if other == w {
			p.waiters = append(p.waiters[:i:i], p.waiters[i+1:]...)
			p.mu.Unlock()
			return
		}
	}
	p.mu.Unlock()
	if g := <-w.answer; g.process != nil {
		p.releaseProcess(g.turn)
	}
}

// beginRequest counts a request that the process receives. Callers hold Pool.mu.
func (pr *process) beginRequest() turn {
	pr.inFlight++
	pr.taken++
	if !pr.watched {
		pr.watched = true
		notifyOnce(pr.busy, struct{}{})
	}
	return turn{pr, pr.taken}
}

// releaseProcess ends a request; the next in the queue takes its place.
func (p *Pool) releaseProcess(t turn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr := t.process
	pr.inFlight--
	pr.congestion.leave(t.number)
	p.serveQueue()
	if pr.inFlight == 0 {
		pr.congestion = congestion{}
		if pr.aside && !pr.doubted && p.countSuspects() == 0 {
			pr.aside = false // none of the suspects has ended it
			p.serveQueue()
		}
		pr.idleSince = time.Now()
		p.scheduleReap()
		p.dismissLeaving()
		p.spec.Budget.notifyIdle()
	}
	p.wakeDrain()
}

// serveQueue assigns processes with room to waiting requests. Callers hold mu.
func (p *Pool) serveQueue() {
	var left []*waiter
	full := map[bool]bool{} // by waiter.suspect
	for _, w := range p.waiters {
		if !full[w.suspect] {
			if pr := p.chooseProcess(w.suspect); pr != nil {
				w.answer <- grant{turn: pr.beginRequest()}
				continue
			}
			full[w.suspect] = true
		}
		left = append(left, w)
	}
	p.waiters = left
}

// refuseQueue answers every waiting request with err. Callers hold mu.
func (p *Pool) refuseQueue(err error) {
	for _, w := range p.waiters {
		w.answer <- grant{err: err}
	}
	p.waiters = nil
}

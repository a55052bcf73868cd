package worker

import (
	"context"
	"fmt"
	"time"
)

// acquire returns the process that shall take a request, waiting in the queue for one when it must.
// The caller gives it back with release.
func (p *Pool) acquire(ctx context.Context) (*process, error) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	if pr := p.choose(); pr != nil {
		pr.begin()
		if pr.inFlight > p.spec.Concurrency {
			p.scale()
		}
		p.mu.Unlock()
		return pr, nil
	}
	w, err := p.enqueue()
	p.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return p.wait(ctx, w)
}

// choose returns the process for the next request, nil when none has room. One that has announced its end takes requests
// for as long as there is no other.
func (p *Pool) choose() *process {
	if pr := p.leastLoaded((*process).able); pr != nil {
		return pr
	}
	return p.leastLoaded((*process).takesLast)
}

// leastLoaded prefers the older of two equals, so that under little load the younger ones become idle.
func (p *Pool) leastLoaded(usable func(*process) bool) *process {
	var best *process
	for _, pr := range p.procs {
		if pr.inFlight < p.spec.Limit && (best == nil || pr.inFlight < best.inFlight) && usable(pr) {
			best = pr
		}
	}
	return best
}

// enqueue puts a request in the queue, or says why not. Callers hold mu.
func (p *Pool) enqueue() (*waiter, error) {
	if p.draining && len(p.procs) == 0 {
		return nil, ErrClosed
	}
	if len(p.procs) == 0 && p.starting == 0 {
		if err := p.backoff.hopeless(); err != nil {
			return nil, &busyError{why: "the app does not start", retryAfter: p.backoff.remaining(true), err: err}
		}
	}
	if len(p.waiters) >= p.spec.Queue {
		return nil, &busyError{why: fmt.Sprintf("all processes are busy and %d requests wait already", len(p.waiters)), retryAfter: time.Second}
	}
	w := &waiter{answer: make(chan grant, 1)}
	p.waiters = append(p.waiters, w)
	p.scale()
	return w, nil
}

func (p *Pool) wait(ctx context.Context, w *waiter) (*process, error) {
	timeout := time.NewTimer(p.spec.QueueTimeout)
	defer timeout.Stop()
	select {
	case g := <-w.answer:
		return g.process, g.err
	case <-ctx.Done():
		p.leave(w)
		return nil, ctx.Err()
	case <-timeout.C:
		p.leave(w)
		return nil, &busyError{why: fmt.Sprintf("no process had room within %s", p.spec.QueueTimeout), retryAfter: 2 * time.Second}
	}
}

// leave takes a request out of the queue, and gives back what it was granted meanwhile.
func (p *Pool) leave(w *waiter) {
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
		p.release(g.process)
	}
}

// begin counts a request that the process gets. Callers hold Pool.mu.
func (pr *process) begin() {
	pr.inFlight++
	if !pr.watched {
		pr.watched = true
		notify(pr.busy, struct{}{})
	}
}

// release ends a request on pr; the next in the queue takes its place.
func (p *Pool) release(pr *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	pr.inFlight--
	p.serveQueue()
	if pr.inFlight == 0 {
		pr.idleSince = time.Now()
		p.scheduleReap()
		p.dismiss()
	}
	p.wake()
}

// serveQueue hands processes with room to waiting requests. Callers hold mu.
func (p *Pool) serveQueue() {
	for len(p.waiters) > 0 {
		pr := p.choose()
		if pr == nil {
			return
		}
		pr.begin()
		p.waiters[0].answer <- grant{process: pr}
		p.waiters = p.waiters[1:]
	}
}

// refuseQueue answers every waiting request with err. Callers hold mu.
func (p *Pool) refuseQueue(err error) {
	for _, w := range p.waiters {
		w.answer <- grant{err: err}
	}
	p.waiters = nil
}

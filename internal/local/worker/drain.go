package worker

import (
	"context"
	"time"
)

// backgroundLimit is how long background work may continue in a process that is out of service:
// Lambda's longest time limit. A handler that never settles after its client has gone counts as
// such work.
const backgroundLimit = 15 * time.Minute

// scheduleReap makes reap run when the next idle process is due. Callers hold mu.
func (p *Pool) scheduleReap() {
	if p.closed || p.draining || len(p.procs) <= p.min {
		return
	}
	if p.reaper == nil {
		p.reaper = time.AfterFunc(p.spec.IdleAfter, p.reapIdle)
	}
}

// reapIdle stops processes that were idle for Spec.IdleAfter, youngest first, down to the minimum.
func (p *Pool) reapIdle() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reaper = nil
	if p.closed || p.draining {
		return
	}
	next := time.Duration(-1)
	for i := len(p.procs) - 1; i >= 0 && len(p.procs) > p.min; i-- {
		pr := p.procs[i]
		if pr.inFlight > 0 {
			continue // its release schedules again
		}
		if due := p.spec.IdleAfter - time.Since(pr.idleSince); due > 0 {
			if next < 0 || due < next {
				next = due
			}
			continue
		}
		p.retireProcess(p.ctx, pr)
	}
	if next >= 0 {
		p.reaper = time.AfterFunc(next, p.reapIdle)
	}
}

// retireProcess takes a process out of service and stops it in the background. When ctx ends, the process
// is killed. Callers hold mu.
func (p *Pool) retireProcess(ctx context.Context, pr *process) {
	pr.stopping = true
	p.removeProcess(pr)
	p.stopping++
	p.tasks.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, backgroundLimit)
		defer cancel()
		if !pr.stop(ctx) {
			p.logLine("warn", "process killed: it was still at work when its time to end was over")
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.stopping--
		p.wakeDrain()
	})
}

// wakeDrain signals Drain that something changed. Callers hold mu.
func (p *Pool) wakeDrain() {
	if p.draining {
		close(p.released)
		p.released = make(chan struct{})
	}
}

// Drain stops every process as soon as nothing is in flight on it, event streams and background
// work included. Requests that still arrive are served while a process is left, then refused: send
// new ones elsewhere first. When ctx ends first, Drain cuts the rest off and returns ctx's error.
// The pool is closed afterwards.
func (p *Pool) Drain(ctx context.Context) error {
	p.mu.Lock()
	p.draining = true
	p.mu.Unlock()
	err := p.drainAll(ctx)
	p.Close()
	return err
}

func (p *Pool) drainAll(ctx context.Context) error {
	for {
		p.mu.Lock()
		for _, pr := range append([]*process(nil), p.procs...) {
			if pr.inFlight == 0 && len(p.waiters) == 0 {
				p.retireProcess(ctx, pr)
			}
		}
		if len(p.procs)+p.starting == 0 {
			p.refuseQueue(ErrClosed)
		}
		left, changed := len(p.procs)+p.starting+p.stopping, p.released
		p.mu.Unlock()
		if left == 0 {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Close stops all processes, requests in flight or not, and removes the pool's files. Processes get
// two seconds to end by themselves. Close returns when nothing of the pool is left; it may be
// called again.
func (p *Pool) Close() {
	p.mu.Lock()
	p.closed = true
	p.refuseQueue(ErrClosed)
	p.backoff.stop()
	if p.reaper != nil {
		p.reaper.Stop()
	}
	p.cancel()
	for _, pr := range append([]*process(nil), p.procs...) {
		p.retireProcess(p.ctx, pr)
	}
	p.mu.Unlock()
	p.tasks.Wait()
	p.spec.Budget.leavePool(p)
	if err := p.home.removeHome(); err != nil {
		p.logLine("warn", "remove the pool's folder: "+err.Error())
	}
}

// Package worker runs unmodified OpenNext bundles in supervised Node.js processes. One process runs
// one bundle. A Pool manages the processes of one bundle and is an http.Handler.
package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Pool runs one bundle in as many processes as its load needs, between Spec.Min and Spec.Max.
type Pool struct {
	node Node
	spec Spec
	home *home
	mark string // see fileMark

	hasFreeCPU func() bool

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	tasks  sync.WaitGroup // starts, supervision and stops

	// mu is held for bookkeeping only, never across a start, a stop or a request.
	mu       sync.Mutex
	procs    []*process // able to serve
	waiters  []*waiter  // requests in the queue, oldest first
	starting int
	stopping int      // the processes that Drain is stopping
	launched int64    // numbers the sockets
	attempt  *attempt // the latest start
	min      int
	closed   bool
	draining bool
	refused  atomic.Int64 // requests
	restarts int
	ended    Usage // of the processes that have ended
	seen     Usage // what was last returned
	backoff  backoff
	sizer    sizer
	reaper   *time.Timer   // looks for processes that have been idle for long enough
	released chan struct{} // closed and replaced when a process loses a request while draining
}

// waiter is a request in the queue. Its channel has room for the one answer it receives.
type waiter struct {
	suspect bool // waits for a process aside
	since   time.Time
	answer  chan grant
}

type grant struct {
	turn
	err error
}

// attempt is one start; err may be read when done is closed.
type attempt struct {
	placed chan struct{} // closed when Spec.Budget has a place for it
	done   chan struct{}
	err    error
}

// NewPool returns a pool for the bundle. Spec.Min processes start at once, in the background: Warm
// waits for one.
func NewPool(node Node, spec Spec) (*Pool, error) {
	spec, err := spec.withDefaults()
	if err != nil {
		return nil, err
	}
	if _, _, err := spec.modulePath(); err != nil {
		return nil, err
	}
	home, err := newHome(spec)
	if err != nil {
		return nil, err
	}
	p := &Pool{node: node, spec: spec, home: home, mark: newFileMark(), hasFreeCPU: machine.hasFree, min: spec.Min, released: make(chan struct{})}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	spec.Budget.joinPool(p)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.scaleUp()
	return p, nil
}

// Warm returns when at least one process has imported the bundle and listens. If there is none and
// the next start fails, it returns that start's *StartError, or ErrNoPlace if Spec.Budget has no
// place for it within Spec.StartTimeout.
func (p *Pool) Warm(ctx context.Context) error {
	p.mu.Lock()
	if p.closed || p.draining {
		p.mu.Unlock()
		return ErrClosed
	}
	if len(p.procs) > 0 {
		p.mu.Unlock()
		return nil
	}
	if p.starting == 0 {
		p.start()
	}
	current := p.attempt
	p.mu.Unlock()
	limit := time.NewTimer(p.spec.StartTimeout)
	defer limit.Stop()
	select {
	case <-current.placed:
	case <-current.done:
	case <-ctx.Done():
	case <-limit.C:
		return fmt.Errorf("worker: start function %s: %w", p.spec.Name, ErrNoPlace)
	}
	select {
	case <-current.done:
		return current.err
	case <-ctx.Done():
		return fmt.Errorf("worker: wait for function %s to start: %w", p.spec.Name, ctx.Err())
	}
}

// SetMin changes how many processes are kept without load. It starts missing ones at once; surplus
// ones end when they have been idle for Spec.IdleAfter. n is at most Spec.Max.
func (p *Pool) SetMin(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.min = max(0, min(n, p.spec.Max))
	p.scaleUp()
	p.scheduleReap()
}

// scaleUp starts the processes that minimum and load require. Callers hold mu.
func (p *Pool) scaleUp() {
	missing := p.countMissing()
	if missing <= 0 {
		return
	}
	if wait := p.backoff.remainingPause(len(p.waiters) > 0); wait > 0 {
		p.backoff.scheduleRetry(wait, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.scaleUp()
		})
		return
	}
	for range missing {
		p.start()
	}
}

// countMissing returns how many processes to start. A process that is late, aside or about to end does
// not count, so that another replaces it.
func (p *Pool) countMissing() int {
	suspects := p.countSuspects()
	load := len(p.waiters) - suspects
	for _, pr := range p.procs {
		if pr.isAble() {
			load += pr.inFlight
		}
	}
	want := min(max(p.min, (load+p.spec.Concurrency-1)/p.spec.Concurrency), p.spec.Max)
	if suspects > 0 && p.countProcesses((*process).isApart) == 0 {
		want++
	}
	return min(want-p.countProcesses((*process).isAble)-p.starting, p.countRoom())
}

// countRoom returns how many processes may be started: one to replace each that takes no requests, so
// that the total is at most twice Spec.Max. Callers hold mu.
func (p *Pool) countRoom() int {
	if p.closed || p.draining {
		return 0
	}
	return 2*p.spec.Max - len(p.procs) - p.starting
}

// countProcesses returns how many processes are in a state. Callers hold mu.
func (p *Pool) countProcesses(state func(*process) bool) (n int) {
	for _, pr := range p.procs {
		if state(pr) {
			n++
		}
	}
	return n
}

// start begins one start in the background. Callers hold mu.
func (p *Pool) start() {
	p.starting++
	p.launched++
	n := p.launched
	current := &attempt{placed: make(chan struct{}), done: make(chan struct{})}
	p.attempt = current
	p.tasks.Go(func() {
		var pr *process
		err := p.spec.Budget.takePlace(p.ctx, p)
		if err == nil {
			close(current.placed)
			defer p.spec.Budget.freePlace()
			pr, err = p.launchProcess(n)
		}
		p.processStarted(pr, err)
		current.err = err
		close(current.done)
		if err == nil {
			p.superviseProcess(pr)
			p.processEnded(pr)
			<-pr.exited
		}
	})
}

// launchProcess starts a process and waits until it is ready.
func (p *Pool) launchProcess(n int64) (*process, error) {
	pr, err := p.startProcess(n, nil)
	if err != nil {
		return nil, &StartError{Name: p.spec.Name, Reason: Failed, Err: err}
	}
	timeout := time.NewTimer(p.spec.StartTimeout)
	defer timeout.Stop()
	select {
	case <-pr.ready:
		return pr, nil
	case <-pr.exited:
		return nil, &StartError{
			Name: p.spec.Name, Reason: Crashed,
			ExitCode: pr.outcomeOf().Code, Cause: p.killedForMemory(pr), LogTail: pr.logs.String(),
		}
	case <-timeout.C:
		pr.killProcess()
		return nil, &StartError{Name: p.spec.Name, Reason: Timeout, LogTail: pr.logs.String()}
	case <-p.ctx.Done():
		pr.killProcess()
		return nil, ErrClosed
	}
}

// processStarted adds a process that is ready, or refuses the queue when there will be none.
func (p *Pool) processStarted(pr *process, err error) {
	if err != nil && !errors.Is(err, ErrClosed) {
		p.logLine("error", err.Error())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.starting--
	defer p.wakeDrain()
	switch {
	case err != nil:
		p.backoff.startFailed(err)
		// A bundle that has started before may start again: visitors of a live site wait for the
		// next attempt.
		if len(p.procs) == 0 && p.starting == 0 && (!p.backoff.served || p.backoff.hopelessReason() != nil) {
			p.refuseQueue(err)
		}
		p.scaleUp()
	case p.closed:
		p.retireProcess(p.ctx, pr)
	default:
		pr.idleSince = time.Now()
		pr.aside = p.needsAside()
		p.procs = append(p.procs, pr)
		p.backoff.startWorked()
		p.serveQueue()
		p.scheduleReap()
		p.dismissLeaving()
		p.spec.Budget.notifyIdle()
	}
}

// needsAside reports whether the process that has just started is for suspects: others have one, or
// need none. Callers hold mu.
func (p *Pool) needsAside() bool {
	suspects := p.countSuspects()
	served := p.countProcesses((*process).isAble) > 0 || p.starting > 0 || suspects == len(p.waiters)
	return suspects > 0 && served && p.countProcesses((*process).isApart) == 0
}

// processEnded records that a process is gone, and replaces it when it ended by itself.
func (p *Pool) processEnded(pr *process) {
	p.mu.Lock()
	p.removeProcess(pr)
	p.addEnded(pr)
	p.serveQueue() // suspects may have waited for this end
	p.wakeDrain()
	byItself := (!pr.stopping || pr.leaving) && !p.closed
	inFlight := pr.inFlight
	if byItself {
		p.restarts++
		if !pr.leaving {
			p.backoff.recordCrash(time.Since(pr.started))
		}
		p.scaleUp()
	}
	p.mu.Unlock()
	if byItself {
		p.logLine("error", fmt.Sprintf("process ended by itself (%s) with %d requests in flight", cmp.Or(p.killedForMemory(pr), pr.outcomeOf().String()), inFlight))
	}
}

// removeProcess takes a process out of service. Callers hold mu.
func (p *Pool) removeProcess(pr *process) {
	for i, other := range p.procs {
		if other == pr {
			p.procs = append(p.procs[:i:i], p.procs[i+1:]...)
			return
		}
	}
}

// logLine logs a message of the pool itself. Callers do not hold mu.
func (p *Pool) logLine(level, text string) {
	p.spec.Log(Line{Time: time.Now(), Level: level, Text: text})
}

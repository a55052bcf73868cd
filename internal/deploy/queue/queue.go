// Package queue runs the passes of deployments in this process: those of one project one at a time
// in the order in which the records accepted them, and those of different projects side by side.
package queue

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/keylock"
)

// Queue is the deploy.Runner of a process that works alone on its records. What it queues is in
// memory: after a restart, deploy.Service.Resume queues again what the records show as unfinished.
type Queue struct {
	slots chan struct{}        // one value for each project that deploys
	locks keylock.Locks[claim] // held during a pass and during Exclusive

	mu      sync.Mutex
	waiting map[anchor.ProjectID][]task // has a key while the project's goroutine runs
	cancel  map[anchor.DeploymentID]context.CancelCauseFunc
	ctx     context.Context // ends with Close
	stopAll context.CancelFunc
	wg      sync.WaitGroup
}

var _ deploy.Runner = (*Queue)(nil)

// claim is what somebody works on alone.
type claim struct {
	project anchor.ProjectID
	purpose deploy.Purpose
}

// task is a deployment that waits for its pass.
type task struct {
	deployment anchor.Deployment
	pass       func(context.Context)
}

// New returns an empty queue in which at most width projects deploy at the same time. Close ends
// it.
func New(width int) *Queue {
	ctx, stop := context.WithCancel(context.Background())
	return &Queue{
		slots:   make(chan struct{}, width),
		waiting: map[anchor.ProjectID][]task{},
		cancel:  map[anchor.DeploymentID]context.CancelCauseFunc{},
		ctx:     ctx,
		stopAll: stop,
	}
}

// Start implements deploy.Runner. It never fails.
func (q *Queue) Start(_ context.Context, d anchor.Deployment, pass func(context.Context)) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting, running := q.waiting[d.ProjectID]
	same := func(t task) bool { return t.deployment.ID == d.ID }
	if slices.ContainsFunc(waiting, same) || q.cancel[d.ID] != nil || q.ctx.Err() != nil {
		return nil
	}
	at := slices.IndexFunc(waiting, func(t task) bool { return d.Before(t.deployment) })
	if at < 0 {
		at = len(waiting)
	}
	q.waiting[d.ProjectID] = slices.Insert(waiting, at, task{d, pass})
	if !running {
		q.wg.Go(func() { q.runProject(d.ProjectID) })
	}
	return nil
}

// Resume implements deploy.Runner. No other process runs passes.
func (q *Queue) Resume(ctx context.Context, d anchor.Deployment, pass func(context.Context)) error {
	return q.Start(ctx, d, pass)
}

// runProject runs the passes of a project until none waits.
func (q *Queue) runProject(p anchor.ProjectID) {
	for q.runNext(p) {
	}
}

// runNext runs the pass of the project's oldest waiting deployment. It returns false when none
// waits or the queue is closed.
func (q *Queue) runNext(p anchor.ProjectID) bool {
	unlock, err := q.locks.LockContext(q.ctx, claim{p, deploy.Passes})
	if err != nil {
		return false
	}
	defer unlock()
	select {
	case q.slots <- struct{}{}:
		defer func() { <-q.slots }()
	case <-q.ctx.Done():
		return false
	}
	ctx, next, ok := q.takeNext(p)
	if !ok {
		return false
	}
	defer q.forget(next.deployment.ID)
	next.pass(ctx)
	return true
}

// takeNext takes the project's oldest waiting deployment. When there is none, the caller must
// end: the next Start begins another goroutine.
func (q *Queue) takeNext(p anchor.ProjectID) (context.Context, task, bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	waiting := q.waiting[p]
	if len(waiting) == 0 || q.ctx.Err() != nil {
		delete(q.waiting, p)
		return nil, task{}, false
	}
	q.waiting[p] = waiting[1:]
	ctx, cancel := context.WithCancelCause(q.ctx)
	q.cancel[waiting[0].deployment.ID] = cancel
	return ctx, waiting[0], true
}

func (q *Queue) forget(id anchor.DeploymentID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.cancel[id](nil)
	delete(q.cancel, id)
}

// Cancel implements deploy.Runner.
func (q *Queue) Cancel(d anchor.DeploymentID, cause error) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	cancel := q.cancel[d]
	if cancel != nil {
		cancel(cause)
	}
	return cancel != nil
}

// CleanUp implements deploy.Runner. It returns when clean has run.
func (q *Queue) CleanUp(ctx context.Context, _ anchor.Deployment, clean func(context.Context)) {
	clean(ctx)
}

// exclusivePatience is how long Exclusive waits for its turn.
const exclusivePatience = 20 * time.Second

// Exclusive implements deploy.Runner. It waits for its turn, but not for long: a pass may take
// minutes to end.
func (q *Queue) Exclusive(ctx context.Context, p anchor.ProjectID, purpose deploy.Purpose, work func(context.Context) error) error {
	waiting, stop := context.WithTimeoutCause(ctx, exclusivePatience, deploy.ErrHeld)
	defer stop()
	unlock, err := q.locks.LockContext(waiting, claim{p, purpose})
	if err != nil {
		return err
	}
	defer unlock()
	return work(ctx)
}

// WatchInterval implements deploy.Runner. The passes wake every watcher, except when the process
// was killed between the record of a deployment's end and its event.
func (q *Queue) WatchInterval() time.Duration { return 5 * time.Second }

// Close implements deploy.Runner. No Start begins a pass meanwhile: it checks the context under
// the lock under which Close ends it.
func (q *Queue) Close() {
	q.mu.Lock()
	q.stopAll()
	q.mu.Unlock()
	q.wg.Wait()
}

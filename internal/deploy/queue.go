package deploy

import (
	"context"
	"slices"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// lanes runs the deployments of one project one at a time in the order they were
// accepted, and those of different projects side by side.
type lanes struct {
	process func(context.Context, anchor.DeploymentID)
	slots   chan struct{} // how many projects deploy at once

	mu      sync.Mutex
	waiting map[anchor.ProjectID][]anchor.Deployment // present while the lane runs
	cancel  map[anchor.DeploymentID]context.CancelCauseFunc
	ctx     context.Context // ends with close
	stopAll context.CancelFunc
	wg      sync.WaitGroup
}

func newLanes(width int, process func(context.Context, anchor.DeploymentID)) *lanes {
	ctx, stop := context.WithCancel(context.Background())
	return &lanes{
		process: process,
		slots:   make(chan struct{}, width),
		waiting: map[anchor.ProjectID][]anchor.Deployment{},
		cancel:  map[anchor.DeploymentID]context.CancelCauseFunc{},
		ctx:     ctx,
		stopAll: stop,
	}
}

// add puts a deployment in its project's lane. Adding one that waits or runs already does
// nothing.
func (l *lanes) add(d anchor.Deployment) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue, running := l.waiting[d.ProjectID]
	same := func(w anchor.Deployment) bool { return w.ID == d.ID }
	if slices.ContainsFunc(queue, same) || l.cancel[d.ID] != nil || l.ctx.Err() != nil {
		return
	}
	at := slices.IndexFunc(queue, d.Before)
	if at < 0 {
		at = len(queue)
	}
	l.waiting[d.ProjectID] = slices.Insert(queue, at, d)
	if !running {
		l.wg.Add(1)
		go l.run(d.ProjectID)
	}
}

func (l *lanes) run(p anchor.ProjectID) {
	defer l.wg.Done()
	for {
		select {
		case l.slots <- struct{}{}:
		case <-l.ctx.Done():
			return
		}
		ctx, id, ok := l.next(p)
		if ok {
			l.process(ctx, id)
			l.done(id)
		}
		<-l.slots
		if !ok {
			return
		}
	}
}

// next takes the oldest waiting deployment, or closes the lane.
func (l *lanes) next(p anchor.ProjectID) (context.Context, anchor.DeploymentID, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	queue := l.waiting[p]
	if len(queue) == 0 || l.ctx.Err() != nil {
		delete(l.waiting, p)
		return nil, "", false
	}
	id := queue[0].ID
	l.waiting[p] = queue[1:]
	ctx, cancel := context.WithCancelCause(l.ctx)
	l.cancel[id] = cancel
	return ctx, id, true
}

func (l *lanes) done(id anchor.DeploymentID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancel[id](nil)
	delete(l.cancel, id)
}

// stop ends the running pass of id with cause; false when none runs.
func (l *lanes) stop(id anchor.DeploymentID, cause error) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	cancel := l.cancel[id]
	if cancel != nil {
		cancel(cause)
	}
	return cancel != nil
}

// close interrupts what runs and returns when no lane is left. No add starts one meanwhile: it
// checks the context under the lock under which close ends it.
func (l *lanes) close() {
	l.mu.Lock()
	l.stopAll()
	l.mu.Unlock()
	l.wg.Wait()
}

package builder

import (
	"slices"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// queue decides which build runs next: one of a project at a time, a limited number together, in the
// order in which they were added. Of a branch only the newest waits.
type queue struct {
	limit int
	start func(*job) // called with mu held; must not block

	mu      sync.Mutex
	waiting []*job
	running map[anchor.ProjectID]*job
	closed  bool
}

func newQueue(limit int, start func(*job)) *queue {
	return &queue{limit: limit, start: start, running: map[anchor.ProjectID]*job{}}
}

// add queues j, and returns those that waited for an older commit of its branch and will not run.
// ok is false when the queue is closed.
func (q *queue) add(j *job) (skipped []*job, ahead int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil, 0, false
	}
	q.waiting = slices.DeleteFunc(q.waiting, func(other *job) bool {
		older := other.project.ID == j.project.ID && other.deployment.Branch == j.deployment.Branch
		if older {
			skipped = append(skipped, other)
		}
		return older
	})
	ahead = len(q.waiting) + len(q.running)
	q.waiting = append(q.waiting, j)
	q.fill()
	if q.running[j.project.ID] == j {
		ahead = 0
	}
	return skipped, ahead, true
}

// fill starts what can run. Callers hold mu.
func (q *queue) fill() {
	for i := 0; i < len(q.waiting) && len(q.running) < q.limit; {
		j := q.waiting[i]
		if q.running[j.project.ID] != nil {
			i++
			continue
		}
		q.waiting = slices.Delete(q.waiting, i, i+1)
		q.running[j.project.ID] = j
		q.start(j)
	}
}

// done makes room for the next builds.
func (q *queue) done(j *job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.running[j.project.ID] == j {
		delete(q.running, j.project.ID)
	}
	if !q.closed {
		q.fill()
	}
}

// remove takes a waiting job out and reports whether it waited.
func (q *queue) remove(j *job) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, j)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// close keeps waiting jobs from starting and returns them.
func (q *queue) close() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	waiting := q.waiting
	q.waiting = nil
	return waiting
}

package release

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release/guard"
)

// Watch observes splits by counters of this process. What it has seen is lost with the process, so that the next
// one begins again.
type Watch struct {
	// Count returns what the functions of a deployment have answered since some time in the past.
	Count  func(anchor.DeploymentID) guard.Counts
	Bounds []time.Duration  // of the durations that Count returns
	Now    func() time.Time // time.Now when nil

	mu      sync.Mutex
	watched map[anchor.ProjectID]*watched
}

// watched is one split.
type watched struct {
	live, candidate anchor.DeploymentID
	startedAt       int64
	test            *guard.Test
	last            [2]guard.Counts // of the live deployment and of the candidate
	lastAt          time.Time
	began           time.Time

	revision     int64 // of the present step
	stepAt       time.Time
	stepRequests int64 // of the candidate, when the step began
}

// Observe implements Observer.
func (w *Watch) Observe(_ context.Context, live anchor.Live) (Observation, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	counts := [2]guard.Counts{w.Count(live.Deployment), w.Count(live.Split.Deployment)}
	s := w.watched[live.ProjectID]
	if s == nil || s.live != live.Deployment || s.candidate != live.Split.Deployment || s.startedAt != live.Split.StartedAt {
		s = &watched{
			live: live.Deployment, candidate: live.Split.Deployment, startedAt: live.Split.StartedAt,
			test: guard.New(w.Bounds), last: counts, lastAt: now, began: now,
		}
		if w.watched == nil {
			w.watched = map[anchor.ProjectID]*watched{}
		}
		w.watched[live.ProjectID] = s
	}
	s.test.Add(counts[0].Since(s.last[0]), counts[1].Since(s.last[1]), now.Sub(s.lastAt))
	s.last, s.lastAt = counts, now
	if s.revision != live.Revision {
		s.revision, s.stepAt, s.stepRequests = live.Revision, now, counts[1].Requests
	}
	return Observation{Evidence: s.test.Evidence(), StepFor: now.Sub(s.stepAt), StepRequests: counts[1].Requests - s.stepRequests}, nil
}

// Begin starts to count a split. It is called before traffic reaches the candidate, so that its first requests are counted.
func (w *Watch) Begin(live anchor.Live) { _, _ = w.Observe(context.Background(), live) } // it returns no error

func (w *Watch) now() time.Time {
	if w.Now != nil {
		return w.Now()
	}
	return time.Now()
}

// soon is within which traffic follows a split that has begun.
const soon = 10 * time.Second

// Forget drops what was seen of splits that are not among these, unless they have begun just now.
func (w *Watch) Forget(splits []anchor.Live) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := w.now()
	for id, s := range w.watched {
		if !containsProject(splits, id) && now.Sub(s.began) > soon {
			delete(w.watched, id)
		}
	}
}

func containsProject(all []anchor.Live, id anchor.ProjectID) bool {
	return slices.ContainsFunc(all, func(live anchor.Live) bool { return live.ProjectID == id })
}

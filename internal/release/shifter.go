package release

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Observation is what is known of a split.
type Observation struct {
	Evidence anchor.Evidence
	// Since its present step began, as far as it was observed: how long, and how many requests the
	// functions of the candidate answered.
	StepFor      time.Duration
	StepRequests int64
}

// Observer counts what the two deployments of a split answer.
type Observer interface {
	// Observe returns what was answered until now.
	Observe(ctx context.Context, live anchor.Live) (Observation, error)
}

// Shifter takes the steps of splits when they are due, and ends the guarded ones whose candidate is worse. The
// records hold all of a split but what was observed, so another Shifter may continue at any time.
type Shifter struct {
	Releases *Service
	Observer Observer
	Log      *slog.Logger
	Now      func() time.Time // time.Now when nil

	mu    sync.Mutex
	known map[anchor.ProjectID]progress
}

// progress is what a Shifter knows of a split.
type progress struct {
	revision int64
	evidence *anchor.Evidence
	waiting  string
	retryAt  time.Time // after a step that failed
}

// retryStep is the time after which a step that failed is tried again.
const retryStep = time.Minute

// enoughForStep is how many requests the candidate of a guarded split has to answer before its next step.
const enoughForStep = 20

// Tick looks at each split once. splits are the pointers of all projects whose traffic is divided.
func (s *Shifter) Tick(ctx context.Context, splits []anchor.Live) {
	s.forget(splits)
	for _, live := range splits {
		if err := s.look(ctx, live); err != nil && ctx.Err() == nil {
			s.Log.ErrorContext(ctx, "take the next step of a split", "projectId", live.ProjectID, "deploymentId", live.Split.Deployment, "error", err)
			s.update(live, func(p *progress) { p.retryAt = s.now().Add(retryStep) })
		}
	}
}

func (s *Shifter) now() time.Time {
	if s.Now == nil {
		return time.Now()
	}
	return s.Now()
}

func (s *Shifter) look(ctx context.Context, live anchor.Live) error {
	seen, err := s.Observer.Observe(ctx, live)
	if err != nil {
		return fmt.Errorf("observe the split of project %s: %w", live.ProjectID, err)
	}
	s.update(live, func(p *progress) { p.evidence = &seen.Evidence })
	if s.now().Before(s.progressOf(live).retryAt) {
		return nil
	}
	split := *live.Split
	if split.Guard && seen.Evidence.Finding != "" {
		s.Log.WarnContext(ctx, "the guard returns all traffic to the live deployment", "projectId", live.ProjectID,
			"deploymentId", split.Deployment, "finding", seen.Evidence.Message)
		return s.Releases.Return(ctx, live, seen.Evidence)
	}
	if !due(split, s.now()) {
		return nil
	}
	waiting := ""
	if split.Guard {
		waiting = waitsFor(split, seen)
	}
	s.update(live, func(p *progress) { p.waiting = waiting })
	if waiting != "" {
		return nil
	}
	return s.Releases.Advance(ctx, live, s.progressOf(live).evidence)
}

// waitsFor returns what a guarded split still waits for although its step is due, "" for nothing.
func waitsFor(split anchor.Split, seen Observation) string {
	every := time.Duration(split.EverySeconds) * time.Second
	switch {
	case seen.StepRequests < enoughForStep:
		return fmt.Sprintf("The guard waits for requests: %s has answered %d of the %d that the step takes.", split.Version, seen.StepRequests, enoughForStep)
	case seen.StepFor+time.Second < every: // the observer may have begun a moment after the step
		return fmt.Sprintf("The guard has observed this step for %s of %s, because the server was restarted.", seen.StepFor.Round(time.Second), every)
	}
	return ""
}

// Observed implements api.Splits.
func (s *Shifter) Observed(live anchor.Live) (*anchor.Evidence, string) {
	p := s.progressOf(live)
	return p.evidence, p.waiting
}

func (s *Shifter) progressOf(live anchor.Live) progress {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.known[live.ProjectID]
}

// update changes what is known of the split. What belongs to another step is dropped first.
func (s *Shifter) update(live anchor.Live, change func(*progress)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known == nil {
		s.known = map[anchor.ProjectID]progress{}
	}
	p := s.known[live.ProjectID]
	if p.revision != live.Revision {
		p = progress{revision: live.Revision}
	}
	change(&p)
	s.known[live.ProjectID] = p
}

// forget drops what is known of splits that have ended.
func (s *Shifter) forget(splits []anchor.Live) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.known {
		if !containsProject(splits, id) {
			delete(s.known, id)
		}
	}
}

package deploy

import (
	"context"
	"iter"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Watch replays the journal after the given Seq and follows it until the deployment has ended.
func (s *Service) Watch(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, after int64) (iter.Seq2[anchor.Event, error], error) {
	if _, err := s.Get(ctx, p, id); err != nil {
		return nil, err
	}
	return s.followJournal(ctx, p, id, after), nil
}

func (s *Service) followJournal(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, after int64) iter.Seq2[anchor.Event, error] {
	return func(yield func(anchor.Event, error) bool) {
		updates, stop := s.notifier.listenFor(id)
		defer stop()
		for last := false; ; {
			d, err := s.Get(ctx, p, id)
			var events []anchor.Event
			if err == nil {
				events, err = s.Journal.Events(ctx, id, after)
			}
			if err != nil {
				yield(anchor.Event{}, err)
				return
			}
			for _, e := range events {
				after = e.Seq
				if !yield(e, nil) || e.Phase == anchor.StatusChange && e.Status.Ended() {
					return
				}
			}
			if last {
				return
			}
			pause := s.Runner.WatchInterval()
			if d.Status.Ended() {
				pause = lastEventWait
			}
			woken, err := waitForUpdate(ctx, updates, pause)
			if err != nil {
				yield(anchor.Event{}, err)
				return
			}
			last = d.Status.Ended() && !woken
		}
	}
}

// lastEventWait is how long a watcher waits for a deployment's last event after its record, which is
// written first, has ended.
const lastEventWait = 200 * time.Millisecond

// waitForUpdate waits for an update, at most for atMost, and reports whether one came.
func waitForUpdate(ctx context.Context, updates <-chan struct{}, atMost time.Duration) (woken bool, err error) {
	again := time.NewTimer(atMost)
	defer again.Stop()
	select {
	case <-updates:
		return true, nil
	case <-again.C:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// waitForEnd returns the deployment once it has ended.
func (s *Service) waitForEnd(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (anchor.Deployment, error) {
	for _, err := range s.followJournal(ctx, p, id, 0) {
		if err != nil {
			return anchor.Deployment{}, err
		}
	}
	return s.Get(ctx, p, id)
}

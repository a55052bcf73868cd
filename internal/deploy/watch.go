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

// Events returns the past events of a deployment of the project with a Seq above after, in order.
func (s *Service) Events(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, after int64) ([]anchor.Event, error) {
	if _, err := s.Get(ctx, p, id); err != nil {
		return nil, err
	}
	return s.Journal.Events(ctx, id, after)
}

func (s *Service) followJournal(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, after int64) iter.Seq2[anchor.Event, error] {
	return func(yield func(anchor.Event, error) bool) {
		updates, stop := s.notifier.listenFor(id)
		defer stop()
		at, err := s.trafficAt(ctx, id, after)
		if err != nil {
			yield(anchor.Event{}, err)
			return
		}
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
				at.see(e)
				if !yield(e, nil) || e.Phase == anchor.StatusChange && e.Status.Ended() {
					return
				}
			}
			if last {
				return
			}
			ended := d.Status.Ended() && !at.moves(time.Now())
			pause := s.Runner.WatchInterval()
			if ended {
				pause = lastEventWait
			}
			woken, err := waitForUpdate(ctx, updates, pause)
			if err != nil {
				yield(anchor.Event{}, err)
				return
			}
			last = ended && !woken
		}
	}
}

// traffic is what a journal says of the switch. The record of a release is written as deployed together
// with the pointer, and traffic follows after that: by then the switch may still fail and be undone.
type traffic struct {
	moving bool      // the step has begun and has not ended
	until  time.Time // when a watcher no longer waits for its end
}

// switchWait is how long a watcher waits for the end of a switch. A process that died in it writes no
// end.
const switchWait = time.Minute

// trafficAt reads the journal up to the event from which a watcher continues.
func (s *Service) trafficAt(ctx context.Context, id anchor.DeploymentID, seq int64) (t traffic, err error) {
	if seq == 0 {
		return t, nil
	}
	events, err := s.Journal.Events(ctx, id, 0)
	for _, e := range events {
		if e.Seq <= seq {
			t.see(e)
		}
	}
	return t, err
}

func (t *traffic) see(e anchor.Event) {
	if e.Step != goLive[0].name {
		return
	}
	switch e.Phase {
	case anchor.StepStart:
		t.moving = true
	case anchor.StepEnd, anchor.StepFail:
		t.moving = false
	}
}

// moves reports whether a deployment that has ended by its record may still be switched to.
func (t *traffic) moves(now time.Time) bool {
	if !t.moving {
		return false
	}
	if t.until.IsZero() {
		t.until = now.Add(switchWait)
	}
	return now.Before(t.until)
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

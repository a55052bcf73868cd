package deploy_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// watch collects a watcher's events until the journal ends or stop returns true.
func (s *stand) watch(t *testing.T, id anchor.DeploymentID, after int64, stop func(anchor.Event) bool) []anchor.Event {
	t.Helper()
	events, err := s.Watch(t.Context(), s.project, id, after)
	must(t, err)
	var got []anchor.Event
	for e, err := range events {
		must(t, err)
		if got = append(got, e); stop != nil && stop(e) {
			break
		}
	}
	return got
}

func wantGapless(t *testing.T, events []anchor.Event, after int64) {
	t.Helper()
	for i, e := range events {
		if e.Seq != after+int64(i)+1 {
			t.Fatalf("event %d has the number %d after %d", i, e.Seq, after)
		}
	}
	if len(events) == 0 || events[len(events)-1].Status != anchor.Deployed {
		t.Fatalf("the last of %d events lacks the end", len(events))
	}
}

func TestWatch_Follows(t *testing.T) {
	s := newStand(t)
	id := s.start(t, s.project)
	var watchers sync.WaitGroup
	for range 5 {
		watchers.Go(func() { wantGapless(t, s.watch(t, id, 0, nil), 0) })
	}
	_, err := s.Finish(t.Context(), s.project, id)
	must(t, err)
	watchers.Wait()
	if n := s.Watchers(); n != 0 {
		t.Errorf("%d are still watched after the end", n)
	}
}

func TestWatch_Replays(t *testing.T) {
	s := newStand(t)
	id := s.deployed(t, s.project)
	all := s.watch(t, id, 0, nil)
	wantGapless(t, all, 0)
	for after := range int64(len(all)) {
		wantGapless(t, s.watch(t, id, after, nil), after)
	}
	if late := s.watch(t, id, int64(len(all)), nil); len(late) != 0 {
		t.Errorf("after the last event there is %+v", late)
	}
	if n := s.Watchers(); n != 0 {
		t.Errorf("%d are still watched after the end", n)
	}
}

func TestWatch_Reconnects(t *testing.T) {
	s := newStand(t)
	id := s.start(t, s.project)
	_, err := s.Finish(t.Context(), s.project, id)
	must(t, err)
	var got []anchor.Event
	for len(got) == 0 || !got[len(got)-1].Status.Ended() || got[len(got)-1].Phase != anchor.StatusChange {
		got = append(got, s.watch(t, id, int64(len(got)), func(anchor.Event) bool { return true })...)
	}
	wantGapless(t, got, 0)
}

func TestWatch_EndsWithContext(t *testing.T) {
	s := newStand(t)
	id := s.start(t, s.project)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	events, err := s.Watch(ctx, s.project, id, 0)
	must(t, err)
	var last error
	for _, err := range events {
		last = err
		stop()
	}
	if !errors.Is(last, context.Canceled) {
		t.Errorf("it ended with %v", last)
	}
}

// TestWatch_EndWithoutNotification ends although the journal lacks its last event.
func TestWatch_EndWithoutNotification(t *testing.T) {
	s := newStand(t)
	id := s.start(t, s.project)
	d, err := s.store.Deployment(t.Context(), id)
	must(t, err)
	d.Status = anchor.Canceled
	must(t, s.store.UpdateDeployment(t.Context(), d, anchor.Building))
	if events := s.watch(t, id, 0, nil); len(events) == 0 {
		t.Error("nothing was reported")
	}
}

// TestWatch_OutlastsTheSwitch has a record that is deployed already, because it moved with the
// pointer, while traffic does not follow yet: the switch may still fail.
func TestWatch_OutlastsTheSwitch(t *testing.T) {
	for name, ends := range map[string]bool{"a switch that fails": true, "a process that died in the switch": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStand(t)
				id := s.start(t, s.project)
				d, err := s.store.Deployment(t.Context(), id)
				must(t, err)
				for _, next := range []anchor.Status{anchor.Built, anchor.Deploying, anchor.Deployed} {
					from := d.Status
					d.Status = next
					must(t, s.store.UpdateDeployment(t.Context(), d, from))
				}
				begun, err := s.store.Append(t.Context(), anchor.Event{DeploymentID: id, Step: "release", Phase: anchor.StepStart})
				must(t, err)
				var got [2][]anchor.Event
				var watchers sync.WaitGroup
				watchers.Go(func() { got[0] = s.watch(t, id, 0, nil) })
				watchers.Go(func() { got[1] = s.watch(t, id, begun.Seq, nil) }) // it continues an earlier one
				time.Sleep(30 * time.Second)
				if n := s.Watchers(); n != 1 {
					t.Errorf("in the switch %d deployments are watched", n)
				}
				if ends {
					for _, e := range []anchor.Event{{Step: "release", Phase: anchor.StepFail}, {Phase: anchor.StatusChange, Status: anchor.DeployFailed}} {
						e.DeploymentID = id
						_, err := s.store.Append(t.Context(), e)
						must(t, err)
					}
				}
				watchers.Wait()
				for _, events := range got {
					if ends && events[len(events)-1].Status != anchor.DeployFailed {
						t.Errorf("the events are %+v", events)
					}
				}
			})
		})
	}
}

func TestWatch_DeploymentOfAnotherProject(t *testing.T) {
	s := newStand(t)
	id := s.start(t, s.project)
	_, err := s.Watch(t.Context(), s.newProject(t, "other"), id, 0)
	wantKind(t, err, anchor.KindNotFound)
}

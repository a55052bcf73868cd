package front_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/front"
)

func (s *stand) prepare(f *front.Front) front.Switch {
	s.t.Helper()
	ready, err := f.Prepare(s.t.Context(), s.project)
	if err != nil {
		s.t.Fatal(err)
	}
	return ready
}

const putKeys = "CloudFront KeyValueStore.UpdateKeys"

// TestSwitch_Commit_MeetsOthers: a release whose Prepare read only an ETag goes to revision 5.
// Meanwhile another process writes to the store, either before the Commit or just before its
// write.
func TestSwitch_Commit_MeetsOthers(t *testing.T) {
	first := newStand(t)
	for name, test := range map[string]struct {
		theirs int64 // the revision that the other process switches to, 0: it publishes
		want   int
	}{
		"a newer release":               {6, 6},
		"this very release":             {5, 5}, // by a reconciler
		"an older release that is late": {4, 5},
		"a deployment's routes":         {0, 5},
	} {
		for _, late := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				s := first.fresh(t)
				site := s.ensure()
				ours, theirs := s.artifact(), s.artifact()
				if test.theirs == 5 {
					theirs = ours
				}
				s.publish(ours)
				must(t, s.Follow(t.Context(), s.project, s.live(s.artifact(), 3)))
				f := s.another()
				ready := s.prepare(f)
				other := func() {
					if test.theirs == 0 {
						s.publish(theirs)
						return
					}
					must(t, s.Follow(t.Context(), s.project, s.live(theirs, test.theirs)))
				}
				if late {
					s.cloud.Wire.Break(awstest.Fault{Operation: putKeys, Nth: 1, Do: other})
				} else {
					other()
				}
				must(t, ready.Commit(t.Context(), s.live(ours, 5)))
				serves := ours
				if test.want == 6 {
					serves = theirs
				}
				s.wantLive(site, test.want, serves.Deployment.ID)
			})
		}
	}
}

// TestSwitch_Commit_AnswerLost: whether the write took effect or not, it is done once.
func TestSwitch_Commit_AnswerLost(t *testing.T) {
	first := newStand(t)
	for _, after := range []bool{false, true} {
		s := first.fresh(t)
		site := s.ensure()
		a := s.artifact()
		s.publish(a)
		f := s.another()
		ready := s.prepare(f)
		s.cloud.Wire.Break(awstest.Fault{Operation: putKeys, Nth: 1, After: after})
		must(t, ready.Commit(t.Context(), s.live(a, 1)))
		s.wantLive(site, 1, a.Deployment.ID)
		s.cloud.Wire.Mend()
		// What the process remembers of the store is right: it refuses, and works as before.
		wantError(t, f.Forget(t.Context(), s.project, a.Deployment.ID), "deployment_live", "live")
		must(t, f.Follow(t.Context(), s.project, s.live(a, 2)))
		s.wantLive(site, 2, a.Deployment.ID)
	}
}

// TestFront_Forget_AfterPrepare: a process that has read only the ETag does not remove the live
// deployment.
func TestFront_Forget_AfterPrepare(t *testing.T) {
	s := newStand(t)
	s.publishAndSwitch(s.ensure())
	a := s.artifact()
	s.publish(a)
	must(t, s.Follow(t.Context(), s.project, s.live(a, 2)))
	f := s.another()
	s.prepare(f)
	wantError(t, f.Forget(t.Context(), s.project, a.Deployment.ID), "deployment_live", "live")
}

// TestSwitch_ReleasesNeverGoBack runs processes that release concurrently, each as a release does
// (prepare, move the pointer, commit). A reconciler that shares its Front with one of them
// follows pointers that it read before. The test reads the store all the time.
func TestSwitch_ReleasesNeverGoBack(t *testing.T) {
	s := newStand(t)
	site := s.ensure()
	a := s.artifact()
	s.publish(a)
	s.cloud.Wire.Slow(3 * time.Millisecond) // so that calls of one process come between those of another
	var mu sync.Mutex
	var moved int64 // the pointer
	move := func(by int64) int64 {
		mu.Lock()
		defer mu.Unlock()
		moved += by
		return moved
	}
	// A process that is slow after its move follows a pointer that is old by then.
	follow := func(revision int64, commit func(context.Context, anchor.Live) error) {
		time.Sleep(rand.N(20 * time.Millisecond))
		err := commit(t.Context(), s.live(a, revision))
		if err != nil && anchor.KindOf(err) != anchor.KindBusy {
			t.Error(err)
		}
	}
	var all, watch sync.WaitGroup
	for range 3 {
		f := s.another()
		all.Go(func() {
			for range 8 {
				ready, err := f.Prepare(t.Context(), s.project)
				if err != nil {
					t.Error(err)
				}
				follow(move(1), ready.Commit)
			}
		})
		all.Go(func() {
			for range 8 {
				now := move(0)
				if err := f.Refresh(t.Context(), s.project); err != nil {
					t.Error(err)
				}
				follow(now, s.following(f))
			}
		})
	}
	done := make(chan struct{})
	watch.Go(func() {
		for last := int64(0); ; {
			now := revisionOf(t, s.stored(site)["live"])
			if now < last {
				t.Errorf("the store went back from revision %d to %d", last, now)
			}
			last = now
			select {
			case <-done:
				return
			default:
			}
		}
	})
	all.Wait()
	close(done)
	watch.Wait()
	must(t, s.Refresh(t.Context(), s.project))
	follow(move(0), s.following(s.Front))
	s.wantLive(site, 24, a.Deployment.ID)
}

// following returns a Commit without a Prepare.
func (s *stand) following(f *front.Front) func(context.Context, anchor.Live) error {
	return func(ctx context.Context, live anchor.Live) error { return f.Follow(ctx, s.project, live) }
}

func revisionOf(t *testing.T, live string) int64 {
	var at struct {
		R int64 `json:"r"`
	}
	if live == "" {
		return 0
	}
	if err := json.Unmarshal([]byte(live), &at); err != nil {
		t.Error(err)
	}
	return at.R
}

// TestFront_Prepare_WrongNote: the store in the note no longer exists.
func TestFront_Prepare_WrongNote(t *testing.T) {
	s := newStand(t)
	site := s.ensure()
	a := s.artifact()
	s.publish(a)
	f := s.another()
	wrong := site
	wrong.Store += "0"
	f.Know(s.project, wrong)
	calls := s.cloud.Wire.Record()
	must(t, s.prepare(f).Commit(t.Context(), s.live(a, 1)))
	if n := len(calls()); n != 4 {
		t.Errorf("it makes %d calls: two reads of ETags, the look-up and the write were due", n)
	}
	s.wantLive(site, 1, a.Deployment.ID)

	// A correct note saves the look-up, and does not replace what is known.
	f = s.another()
	f.Know(s.project, site)
	f.Know(s.project, wrong)
	calls = s.cloud.Wire.Record()
	must(t, s.prepare(f).Commit(t.Context(), s.live(a, 2)))
	if n := len(calls()); n != 2 {
		t.Errorf("it makes %d calls", n)
	}
	s.wantLive(site, 2, a.Deployment.ID)
}

// TestEnsure_DetectsWrongNote asserts that Ensure detects a wrong note, too.
func TestEnsure_DetectsWrongNote(t *testing.T) {
	s := newStand(t)
	site := s.ensure()
	s.Front = s.another()
	wrong := site
	wrong.Store += "0"
	s.Know(s.project, wrong)
	if again := s.ensure(); again != site {
		t.Errorf("first it is %+v, then %+v", site, again)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

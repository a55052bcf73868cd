package crons_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/crons"
)

// locks are those of an installation, in memory.
type locks struct {
	mu    sync.Mutex
	now   func() time.Time
	runs  map[string]string
	until map[string]time.Time
	err   error
}

func (l *locks) LockCron(_ context.Context, r anchor.CronRun, until time.Time) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil || l.runs[r.Path] != "" && l.now().Before(l.until[r.Path]) {
		return false, l.err
	}
	l.runs[r.Path], l.until[r.Path] = r.ID, until
	return true, nil
}

func (l *locks) UnlockCron(_ context.Context, r anchor.CronRun) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.runs[r.Path] == r.ID {
		delete(l.runs, r.Path)
	}
	return nil
}

// installation is a fixture whose crons run in many processes, each for one event.
type installation struct {
	*fixture
	locks *locks

	handed []anchor.CronRun // by Start
	refuse error            // of Dispatch
}

func newInstallation(t *testing.T) *installation {
	t.Helper()
	f := newFixture(t)
	in := &installation{fixture: f, locks: &locks{now: f.clock, runs: map[string]string{}, until: map[string]time.Time{}}}
	f.release("v1", hourly)
	return in
}

func (in *installation) process() *crons.Service {
	return crons.New(crons.Config{Records: in.store, Ask: in.ask, Now: in.clock, Locks: in.locks, Timeout: 10 * time.Minute})
}

func (in *installation) api() *crons.Service {
	return crons.New(crons.Config{Records: in.store, Now: in.clock, Locks: in.locks, Timeout: 10 * time.Minute,
		Dispatch: func(_ context.Context, r anchor.CronRun) error {
			in.handed = append(in.handed, r)
			return in.refuse
		}})
}

// event is that of a schedule, in a process of its own.
func (in *installation) event(hour, minute, second int, c anchor.Cron) {
	in.Helper()
	in.set(func() { in.now = time.Date(2026, 3, 1, hour, minute, second, 0, time.UTC) })
	p := in.process()
	if err := p.Fire(in.Context(), in.project, c); err != nil {
		in.Fatal(err)
	}
	p.Wait()
}

func TestFire_RunsWhatIsDue(t *testing.T) {
	in := newInstallation(t)
	in.event(5, 0, 3, hourly) // the first event finds a cron that nothing has seen
	in.wantAsked("v1 /hourly")
	in.event(5, 0, 20, hourly)
	in.event(5, 30, 0, hourly)
	in.event(6, 0, 1, anchor.Cron{Path: "/other", Schedule: "0 * * * *"}) // of a deployment before
	in.wantAsked()
	in.event(8, 0, 1, hourly)
	in.wantAsked("v1 /hourly")
	in.wantRuns("05:00 succeeded, 06:00 missed 2, 08:00 succeeded")
}

// A scheduler may send an event twice, and at the same time.
func TestFire_EventThatComesTwice(t *testing.T) {
	in := newInstallation(t)
	in.set(func() { in.now = time.Date(2026, 3, 1, 5, 0, 2, 0, time.UTC) })
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			p := in.process()
			if err := p.Fire(t.Context(), in.project, hourly); err != nil {
				t.Error(err)
			}
			p.Wait()
		})
	}
	all.Wait()
	in.wantAsked("v1 /hourly")
	in.wantRuns("05:00 succeeded")
}

func TestFire_OverlapsAcrossProcesses(t *testing.T) {
	in := newInstallation(t)
	hold := make(chan struct{})
	in.set(func() { in.now, in.hold = time.Date(2026, 3, 1, 5, 0, 2, 0, time.UTC), hold })
	slow := in.process()
	if err := slow.Fire(t.Context(), in.project, hourly); err != nil {
		t.Fatal(err)
	}
	in.wantAsked("v1 /hourly")
	in.set(func() { in.now = time.Date(2026, 3, 1, 5, 5, 0, 0, time.UTC) })
	if _, err := in.api().Start(t.Context(), in.project, "/hourly"); anchor.CodeOf(err) != "cron_running" {
		t.Errorf("a second run begins: %v", err)
	}
	close(hold)
	slow.Wait()
	in.set(func() { in.hold = nil })
	in.event(6, 0, 0, hourly)
	in.wantAsked("v1 /hourly")
	in.wantRuns("05:00 succeeded, 06:00 succeeded")
}

// A run whose process was killed keeps its path for as long as it could have taken, and is shown as interrupted then.
func TestRuns_OfALostProcess(t *testing.T) {
	in := newInstallation(t)
	in.set(func() { in.now = time.Date(2026, 3, 1, 5, 0, 0, 0, time.UTC) })
	api := in.api()
	if _, err := api.Start(t.Context(), in.project, "/hourly"); err != nil {
		t.Fatal(err)
	}
	status := func() []anchor.CronStatus {
		runs, err := api.Runs(t.Context(), in.project, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		var all []anchor.CronStatus
		for _, r := range runs {
			all = append(all, r.Status)
		}
		return all
	}
	if got := status(); !slices.Equal(got, []anchor.CronStatus{anchor.CronRunning}) {
		t.Errorf("the runs are %v", got)
	}
	in.event(6, 0, 0, hourly)
	if got := status(); !slices.Equal(got, []anchor.CronStatus{anchor.CronSucceeded, anchor.CronInterrupted}) {
		t.Errorf("an hour later the runs are %v", got)
	}
}

func TestStart_HandsOver(t *testing.T) {
	in := newInstallation(t)
	in.set(func() { in.now = time.Date(2026, 3, 1, 5, 0, 0, 0, time.UTC) })
	run, err := in.api().Start(t.Context(), in.project, "/hourly")
	if err != nil || len(in.handed) != 1 || in.handed[0].ID != run.ID {
		t.Fatalf("%v was handed over (%v), want %s", in.handed, err, run.ID)
	}
	p := in.process()
	if err := p.Continue(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	in.wantAsked("v1 /hourly")
	in.refuse = errors.New("the handler is gone")
	if _, err := in.api().Start(t.Context(), in.project, "/hourly"); !errors.Is(err, in.refuse) {
		t.Errorf("a run that cannot be handed over: %v", err)
	}
	in.wantRuns("05:00 succeeded, 05:00 failed")
	in.refuse = nil
	if _, err := in.api().Start(t.Context(), in.project, "/hourly"); err != nil {
		t.Errorf("after a failure the path is locked: %v", err)
	}
}

// Records that fail after the claim leave a run that says so.
func TestFire_LockFails(t *testing.T) {
	in := newInstallation(t)
	in.locks.err = errors.New("the records are busy")
	in.set(func() { in.now = time.Date(2026, 3, 1, 5, 0, 2, 0, time.UTC) })
	if err := in.process().Fire(t.Context(), in.project, hourly); !errors.Is(err, in.locks.err) {
		t.Errorf("the event ends with %v", err)
	}
	in.locks.err = nil
	in.event(5, 0, 30, hourly)
	in.wantAsked()
	in.wantRuns("05:00 failed")
}

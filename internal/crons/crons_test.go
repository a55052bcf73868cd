package crons_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/crons"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
)

// fixture is a project with live deployments, whose app answers as its test wants.
type fixture struct {
	*testing.T
	store   *sqlite.Store
	service *crons.Service
	project anchor.ProjectID

	mu    sync.Mutex
	now   time.Time
	hold  chan struct{} // an app that has it answers when it is closed
	asked []string
}

// set changes the clock and whether the app waits.
func (f *fixture) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fixture) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	f := &fixture{T: t, project: anchor.ProjectID(anchor.NewID()), now: time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)}
	var err error
	if f.store, err = sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "anchor.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.store.Close() })
	if err := f.store.CreateProject(t.Context(), anchor.Project{ID: f.project, Slug: "shop", ProductionBranch: "main"}); err != nil {
		t.Fatal(err)
	}
	f.start()
	return f
}

// start starts a service over the records, as after a restart.
func (f *fixture) start() {
	f.Helper()
	f.service = crons.New(crons.Config{Records: f.store, Ask: f.ask, Now: f.clock})
	f.Cleanup(func() { f.service.Close() })
	if err := f.service.Resume(f.Context(), f.store); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) ask(ctx context.Context, d anchor.Deployment, path, _, schedule string) (int, string, error) {
	f.mu.Lock()
	f.asked = append(f.asked, d.Version+" "+path)
	hold := f.hold
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return 0, "", ctx.Err()
		}
	}
	return 200, "", nil
}

// release makes a deployment with crons live.
func (f *fixture) release(version string, all ...anchor.Cron) {
	f.Helper()
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: f.project, Status: anchor.Deployed, Version: version, Crons: all}
	err := f.store.CreateDeployment(f.Context(), d)
	var from anchor.Live
	if err == nil && version != "v1" {
		from, err = f.store.Live(f.Context(), f.project)
	}
	if err == nil {
		_, err = f.store.Move(f.Context(), from, anchor.Release{
			ID: anchor.ReleaseID(anchor.NewID()), ProjectID: f.project, Kind: anchor.ReleaseDeploy, Deployment: d.ID, Version: version,
		}, nil)
	}
	if err != nil {
		f.Fatal(err)
	}
}

// at sets the clock and starts what is due.
func (f *fixture) at(hour, minute, second int) {
	f.Helper()
	f.set(func() { f.now = time.Date(2026, 3, 1, hour, minute, second, 0, time.UTC) })
	if err := f.service.Tick(f.Context()); err != nil {
		f.Fatal(err)
	}
}

// wantAsked fails unless exactly these requests have come since the last call. They come soon.
func (f *fixture) wantAsked(want ...string) {
	f.Helper()
	for {
		runs, err := f.store.RunningCrons(f.Context())
		if err != nil {
			f.Fatal(err)
		}
		f.mu.Lock()
		got := strings.Join(f.asked, ", ")
		if len(runs) == 0 || f.hold != nil && len(f.asked) == len(want) {
			f.asked = nil
			f.mu.Unlock()
			if got != strings.Join(want, ", ") {
				f.Errorf("asked %q, want %q", got, want)
			}
			return
		}
		f.mu.Unlock()
		select {
		case <-f.Context().Done():
			f.Fatal("the runs do not end")
		case <-time.After(time.Millisecond):
		}
	}
}

// runs describes the recorded runs, oldest first.
func (f *fixture) runs() string {
	f.Helper()
	all, err := f.store.CronRuns(f.Context(), f.project, "", 100)
	if err != nil {
		f.Fatal(err)
	}
	var text []string
	for i := len(all) - 1; i >= 0; i-- {
		r := all[i]
		one := fmt.Sprintf("%s %s", time.UnixMilli(r.DueAt).UTC().Format("15:04"), r.Status)
		if r.Count > 0 {
			one += fmt.Sprintf(" %d", r.Count)
		}
		text = append(text, one)
	}
	return strings.Join(text, ", ")
}

func (f *fixture) wantRuns(want string) {
	f.Helper()
	if got := f.runs(); got != want {
		f.Errorf("the runs are %q, want %q", got, want)
	}
}

var hourly = anchor.Cron{Path: "/hourly", Schedule: "0 * * * *"}

func TestTick_RunsOnceAcrossSwitchAndRestart(t *testing.T) {
	f := newFixture(t)
	f.release("v1", hourly)
	f.at(4, 10, 0)
	f.wantAsked() // what was due before it was known is not made up for
	f.at(5, 0, 0)
	f.wantAsked("v1 /hourly")
	f.at(5, 0, 1)
	f.release("v2", hourly)
	f.at(5, 0, 30)
	f.start()
	f.at(5, 0, 59)
	f.wantAsked()
	f.at(6, 0, 2)
	f.wantAsked("v2 /hourly")
	f.wantRuns("05:00 succeeded, 06:00 succeeded")
}

// Two servers over one data folder are refused elsewhere; the records would not let both run, either.
func TestTick_TwoServicesRunOnce(t *testing.T) {
	f := newFixture(t)
	f.release("v1", hourly)
	f.at(4, 10, 0)
	f.set(func() { f.now = time.Date(2026, 3, 1, 5, 0, 0, 0, time.UTC) })
	first := f.service
	f.start()
	var both sync.WaitGroup
	for _, s := range []*crons.Service{first, f.service} {
		both.Go(func() {
			if err := s.Tick(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	f.wantAsked("v1 /hourly")
}

func TestTick_MissedRunsAreVisible(t *testing.T) {
	f := newFixture(t)
	f.release("v1", hourly, anchor.Cron{Path: "/rare", Schedule: "30 5 * * *"})
	f.at(4, 10, 0)
	f.at(9, 0, 20) // the server was down
	f.wantAsked("v1 /hourly")
	f.wantRuns("05:00 missed 4, 09:00 succeeded, 05:30 missed 1")
	f.at(11, 5, 0)
	f.wantAsked()
	f.wantRuns("05:00 missed 4, 09:00 succeeded, 05:30 missed 1, 10:00 missed 2")
}

func TestTick_OverlappingRunIsSkipped(t *testing.T) {
	f := newFixture(t)
	f.release("v1", hourly)
	f.at(4, 10, 0)
	f.set(func() { f.hold = make(chan struct{}) })
	f.at(5, 0, 0)
	f.wantAsked("v1 /hourly")
	f.at(6, 0, 0)
	if _, err := f.service.Start(t.Context(), f.project, "/hourly"); anchor.CodeOf(err) != "cron_running" {
		t.Errorf("a second run begins: %v", err)
	}
	f.set(func() { close(f.hold); f.hold = nil })
	f.wantAsked()
	f.wantRuns("05:00 succeeded, 06:00 skipped")
}

func TestClose_InterruptedRunIsNotRepeated(t *testing.T) {
	f := newFixture(t)
	f.release("v1", hourly)
	f.at(4, 10, 0)
	f.set(func() { f.hold = make(chan struct{}) })
	f.at(5, 0, 0)
	f.wantAsked("v1 /hourly")
	f.service.Close()
	f.wantRuns("05:00 interrupted")
	f.start()
	f.at(5, 0, 30)
	f.wantAsked()
	// A kill leaves the run as it was: the next start finds it.
	run := anchor.CronRun{ID: anchor.NewID(), ProjectID: f.project, Path: "/hourly", Status: anchor.CronRunning, DueAt: f.clock().UnixMilli()}
	if err := f.store.AddCronRun(t.Context(), run); err != nil {
		t.Fatal(err)
	}
	f.start()
	f.wantRuns("05:00 interrupted, 05:00 interrupted")
}

func TestPause_RunsNothingAndRecordsNothing(t *testing.T) {
	f := newFixture(t)
	f.release("v1", hourly)
	f.at(4, 10, 0)
	if _, err := f.service.Pause(t.Context(), f.project, "/hourly", true); err != nil {
		t.Fatal(err)
	}
	f.at(5, 0, 0)
	f.at(8, 30, 0)
	if _, err := f.service.Pause(t.Context(), f.project, "/hourly", false); err != nil {
		t.Fatal(err)
	}
	f.at(8, 31, 0)
	f.wantAsked()
	f.wantRuns("")
	f.at(9, 0, 0)
	f.wantAsked("v1 /hourly")
}

// A cron that a deployment lacks begins again when a later one has it.
func TestTick_CronThatComesBack(t *testing.T) {
	f := newFixture(t)
	f.release("v1", hourly)
	f.at(4, 10, 0)
	f.release("v2")
	f.at(6, 0, 0)
	f.release("v3", hourly)
	f.at(8, 30, 0)
	f.wantAsked()
	f.wantRuns("")
	f.at(9, 0, 0)
	f.wantAsked("v3 /hourly")
}

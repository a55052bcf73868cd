package dynamo_test

import (
	"cmp"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	diff "github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/dynamo"
)

var (
	atFive = time.Date(2026, 3, 1, 5, 0, 0, 0, time.UTC)
	digest = anchor.Cron{Path: "/api/digest", Schedule: "0 5 * * *"}
	often  = anchor.Cron{Path: "/api/often", Schedule: "* * * * *"}
)

func cronRun(p anchor.ProjectID, path string, status anchor.CronStatus) anchor.CronRun {
	return anchor.CronRun{ID: anchor.NewID(), ProjectID: p, Path: path, Status: status, DueAt: atFive.UnixMilli()}
}

func TestCrons_SeenAndClaimed(t *testing.T) {
	s := newStand(t)
	p := s.project.ID
	seen, err := s.SeenCrons(s.ctx, p, []anchor.Cron{digest, often}, atFive)
	s.ok(err)
	if d := diff.Diff(map[anchor.Cron]time.Time{digest: atFive, often: atFive}, seen); d != "" {
		t.Error(d)
	}
	later := atFive.Add(time.Hour)
	run := cronRun(p, digest.Path, anchor.CronRunning)
	var claimed atomic.Int32
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			ok, err := s.another().ClaimCron(s.ctx, p, digest, atFive, later, cronRun(p, digest.Path, anchor.CronMissed), run)
			if err != nil {
				t.Error(err)
			}
			if ok {
				claimed.Add(1)
			}
		})
	}
	all.Wait()
	if n := claimed.Load(); n != 1 {
		t.Errorf("%d calls claimed the run", n)
	}
	seen, err = s.another().SeenCrons(s.ctx, p, []anchor.Cron{digest}, later.Add(time.Hour))
	s.ok(err)
	if d := diff.Diff(map[anchor.Cron]time.Time{digest: later}, seen); d != "" {
		t.Error(d)
	}
	ok, err := s.ClaimCron(s.ctx, p, often, atFive, later)
	s.ok(err)
	if ok {
		t.Error("a run of a forgotten cron was claimed")
	}
	run.Status, run.HTTPStatus = anchor.CronSucceeded, 204
	s.ok(s.EndCronRun(s.ctx, run))
	runs, err := s.CronRuns(s.ctx, p, digest.Path, 10)
	s.ok(err)
	if len(runs) != 2 || !slices.ContainsFunc(runs, func(r anchor.CronRun) bool { return r == run }) {
		t.Errorf("the runs are %+v", runs)
	}
	s.ok(s.EndCronRun(s.ctx, cronRun(p, digest.Path, anchor.CronFailed))) // that is not kept
}

// A deployment may have more crons than a transaction has room for.
func TestCrons_MostOfThem(t *testing.T) {
	s := newStand(t)
	var all []anchor.Cron
	for i := range anchor.MaxCrons {
		all = append(all, anchor.Cron{Path: fmt.Sprint("/api/", i), Schedule: "0 5 * * *"})
	}
	for _, want := range [][]anchor.Cron{all, nil} {
		seen, err := s.SeenCrons(s.ctx, s.project.ID, want, atFive)
		s.ok(err)
		if len(seen) != len(want) {
			t.Errorf("%d crons are known, want %d", len(seen), len(want))
		}
	}
}

func TestCrons_PathsAreLockedAndPaused(t *testing.T) {
	s := newStand(t)
	p := s.project.ID
	now := atFive
	s.Clock = func() time.Time { return now }
	first, second := cronRun(p, digest.Path, anchor.CronRunning), cronRun(p, digest.Path, anchor.CronRunning)
	lock := func(r anchor.CronRun, want bool) {
		t.Helper()
		ok, err := s.LockCron(s.ctx, r, now.Add(15*time.Minute))
		s.ok(err)
		if ok != want {
			t.Errorf("the lock is %v, want %v", ok, want)
		}
	}
	lock(first, true)
	lock(second, false)
	s.ok(s.UnlockCron(s.ctx, second)) // which has none
	lock(second, false)
	s.ok(s.UnlockCron(s.ctx, first))
	lock(second, true)
	now = now.Add(16 * time.Minute)
	lock(first, true)

	s.ok(s.PauseCron(s.ctx, p, digest.Path, true))
	s.ok(s.PauseCron(s.ctx, p, often.Path, true))
	s.ok(s.PauseCron(s.ctx, p, often.Path, false))
	paused, err := s.another().PausedCrons(s.ctx, p)
	s.ok(err)
	if !slices.Equal(paused, []string{digest.Path}) {
		t.Errorf("paused are %v", paused)
	}
}

func TestCrons_OneProcessContinuesARun(t *testing.T) {
	s := newStand(t)
	run := cronRun(s.project.ID, digest.Path, anchor.CronRunning)
	s.ok(s.AddCronRun(s.ctx, run))
	for _, want := range []bool{true, false} {
		got, ok, err := s.another().TakeCronRun(s.ctx, s.project.ID, run.ID)
		s.ok(err)
		if ok != want || got != run {
			t.Errorf("took %+v: %v, want %v", got, ok, want)
		}
	}
	if _, ok, err := s.TakeCronRun(s.ctx, s.project.ID, anchor.NewID()); ok || err != nil {
		t.Errorf("a run that is not kept: %v, %v", ok, err)
	}
}

func TestCrons_OldRunsArePruned(t *testing.T) {
	s := newStand(t)
	p := s.project.ID
	_, err := s.SeenCrons(s.ctx, p, []anchor.Cron{digest}, atFive)
	s.ok(err)
	const beyond = 40
	total := dynamo.KeptCronRuns + beyond
	for from, n := atFive, 0; n < total; n += 80 {
		var some []anchor.CronRun
		for range min(80, total-n) {
			some = append(some, cronRun(p, digest.Path, anchor.CronSucceeded))
		}
		until := from.Add(time.Minute)
		ok, err := s.ClaimCron(s.ctx, p, digest, from, until, some...)
		s.ok(err)
		if !ok {
			t.Fatal("a run was not claimed")
		}
		from = until
	}
	runs, err := s.CronRuns(s.ctx, p, "", 2*total)
	s.ok(err)
	s.ok(s.PruneCronRuns(s.ctx, p))
	left, err := s.CronRuns(s.ctx, p, "", 2*total)
	s.ok(err)
	if len(runs) != total || len(left) != dynamo.KeptCronRuns || left[0] != runs[0] || left[len(left)-1] != runs[len(left)-1] {
		t.Errorf("of %d runs %d are left", len(runs), len(left))
	}
	if !slices.IsSortedFunc(left, func(a, b anchor.CronRun) int { return cmp.Compare(b.ID, a.ID) }) {
		t.Error("the newest run is not the first")
	}
}

func TestCrons_GoWithTheirProject(t *testing.T) {
	s := newStand(t)
	p := s.newProject("crons")
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Status: anchor.Queued}
	s.ok(s.CreateDeployment(s.ctx, d))
	s.ok(s.PutCronFunctions(s.ctx, d.ID, map[string]string{"/api/digest": "api"}))
	if got, err := s.CronFunctions(s.ctx, d.ID); err != nil || got["/api/digest"] != "api" {
		t.Errorf("the functions are %v (%v)", got, err)
	}
	before := s.rows()
	_, err := s.SeenCrons(s.ctx, p.ID, []anchor.Cron{digest}, atFive)
	s.ok(err)
	s.ok(s.AddCronRun(s.ctx, cronRun(p.ID, digest.Path, anchor.CronRunning)))
	s.ok(s.PauseCron(s.ctx, p.ID, digest.Path, true))
	_, err = s.LockCron(s.ctx, cronRun(p.ID, digest.Path, anchor.CronRunning), time.Now().Add(time.Hour))
	s.ok(err)
	if n := s.rows(); n != before+4 {
		t.Errorf("%d rows, want %d", n, before+4)
	}
	s.ok(s.RetireProject(s.ctx, p.ID))
	s.ok(s.DeleteProject(s.ctx, p.ID))
	if n := s.rows(); n >= before {
		t.Errorf("%d rows are left of %d", n, before)
	}
	s.code(s.AddCronRun(s.ctx, cronRun(p.ID, digest.Path, anchor.CronRunning)), anchor.KindNotFound, "unknown_project")
	_, err = s.ClaimCron(s.ctx, p.ID, digest, atFive, atFive.Add(time.Minute))
	if err != nil && anchor.KindOf(err) != anchor.KindNotFound {
		t.Errorf("a claim in a removed project: %v", err)
	}
}

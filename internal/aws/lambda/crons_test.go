package lambda_test

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/aws/schedule"
	"github.com/anchor-deploy/anchor/internal/project"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// cronRecords stores crons in memory. The tables pass the same tests as one machine's records, see packages
// crons and dynamo.
type cronRecords struct {
	*memory.Store
	mu     sync.Mutex
	seen   map[anchor.Cron]time.Time
	runs   []anchor.CronRun // oldest first
	taken  map[string]bool
	paused []string
	locks  map[string]string // the run that has a path
	pruned int
}

func newCronRecords(s *memory.Store) *cronRecords {
	return &cronRecords{Store: s, seen: map[anchor.Cron]time.Time{}, taken: map[string]bool{}, locks: map[string]string{}}
}

func (c *cronRecords) SeenCrons(_ context.Context, _ anchor.ProjectID, crons []anchor.Cron, now time.Time) (map[anchor.Cron]time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := map[anchor.Cron]time.Time{}
	for _, one := range crons {
		seen[one] = now
		if at, known := c.seen[one]; known {
			seen[one] = at
		}
	}
	c.seen = seen
	return seen, nil
}

func (c *cronRecords) ClaimCron(_ context.Context, _ anchor.ProjectID, one anchor.Cron, from, until time.Time, runs ...anchor.CronRun) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.seen[one].Equal(from) {
		return false, nil
	}
	c.seen[one] = until
	c.runs = append(c.runs, runs...)
	return true, nil
}

func (c *cronRecords) AddCronRun(_ context.Context, r anchor.CronRun) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs = append(c.runs, r)
	return nil
}

func (c *cronRecords) EndCronRun(_ context.Context, r anchor.CronRun) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.runs {
		if c.runs[i].ID == r.ID {
			c.runs[i] = r
		}
	}
	return nil
}

func (c *cronRecords) CronRuns(_ context.Context, _ anchor.ProjectID, path string, limit int) ([]anchor.CronRun, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []anchor.CronRun
	for _, r := range slices.Backward(c.runs) {
		if (path == "" || r.Path == path) && len(found) < limit {
			found = append(found, r)
		}
	}
	return found, nil
}

func (c *cronRecords) PauseCron(_ context.Context, _ anchor.ProjectID, path string, paused bool) error {
	c.paused = slices.DeleteFunc(c.paused, func(p string) bool { return p == path })
	if paused {
		c.paused = append(c.paused, path)
	}
	return nil
}

func (c *cronRecords) PausedCrons(context.Context, anchor.ProjectID) ([]string, error) {
	return c.paused, nil
}

func (c *cronRecords) LockCron(_ context.Context, r anchor.CronRun, _ time.Time) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locks[r.Path] != "" {
		return false, nil
	}
	c.locks[r.Path] = r.ID
	return true, nil
}

func (c *cronRecords) UnlockCron(_ context.Context, r anchor.CronRun) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.locks[r.Path] == r.ID {
		delete(c.locks, r.Path)
	}
	return nil
}

func (c *cronRecords) TakeCronRun(_ context.Context, _ anchor.ProjectID, id string) (anchor.CronRun, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, r := range c.runs {
		if r.ID == id && r.Status == anchor.CronRunning && !c.taken[id] {
			c.taken[id] = true
			return r, true, nil
		}
	}
	return anchor.CronRun{}, false, nil
}

func (c *cronRecords) PruneCronRuns(context.Context, anchor.ProjectID) error {
	c.pruned++
	return nil
}

// withCron makes a deployment live that has a cron for each minute, and the variable CRON_SECRET.
func (s *stand) withCron() (anchor.Project, anchor.Cron) {
	s.t.Helper()
	p := s.newProject().Project
	env := project.NewEnv(project.EnvPorts{Variables: s.store, Box: s.box}, project.EnvOptions{})
	must(s.t, env.Set(s.t.Context(), p.ID, []anchor.EnvVar{{Name: "CRON_SECRET", Value: "hidden", For: anchor.EnvRun}}))
	c := anchor.Cron{Path: "/api/often", Schedule: "* * * * *"}
	d := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Status: anchor.Deployed, Version: "v1", Crons: []anchor.Cron{c}}
	must(s.t, s.store.CreateDeployment(s.t.Context(), d))
	_, err := env.Lock(s.t.Context(), p.ID, d.ID, anchor.EnvScope{Environment: anchor.EnvProduction}, nil)
	must(s.t, err)
	_, err = s.store.Move(s.t.Context(), anchor.Live{}, anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: p.ID, Kind: anchor.ReleaseDeploy, Deployment: d.ID, Version: d.Version,
	}, nil)
	must(s.t, err)
	s.cloud.status = http.StatusNoContent
	return p, c
}

func TestCrons_OnSchedule(t *testing.T) {
	s := newStand(t)
	p, c := s.withCron()
	for range 2 { // Scheduler may send an event twice
		_, err := s.event(t.Context(), "crons", schedule.Event{ProjectID: p.ID, Cron: &c})
		must(t, err)
	}
	if len(s.cloud.asked) == 0 || s.cloud.asked[0] != "/api/often hidden" || len(s.cloud.asked) > 2 { // two when the minute has changed
		t.Errorf("asked were %q", s.cloud.asked)
	}
	var runs wire.Items[anchor.CronRun]
	s.call("api", "GET", "/projects/shop/crons/runs", "", nil, &runs)
	if len(runs.Items) != len(s.cloud.asked) || runs.Items[0].Status != anchor.CronSucceeded || runs.Items[0].HTTPStatus != http.StatusNoContent {
		t.Errorf("the runs are %+v", runs.Items)
	}
	other := anchor.Cron{Path: "/api/often", Schedule: "0 0 * * *"} // of a deployment before
	_, err := s.event(t.Context(), "crons", schedule.Event{ProjectID: p.ID, Cron: &other})
	must(t, err)
	_, err = s.event(t.Context(), "crons", schedule.Event{ProjectID: anchor.ProjectID(anchor.NewID()), Cron: &c}) // that is removed
	must(t, err)
	if len(s.cloud.asked) != len(runs.Items) {
		t.Errorf("asked were %q", s.cloud.asked)
	}
	s.cloud.asked = nil
	_, err = s.event(t.Context(), "crons", schedule.Event{ProjectID: p.ID, Warm: map[string]int32{"default": 2}})
	must(t, err)
	if want := fmt.Sprintf("warm %s map[default:2]", p.ID); len(s.cloud.asked) != 1 || s.cloud.asked[0] != want {
		t.Errorf("asked were %q, want %q", s.cloud.asked, want)
	}
	for _, bad := range []string{`{}`, `{"projectId":"x"}`, `{"warm":{"default":1}}`, fmt.Sprintf(`{"projectId":%q,"runId":"x","warm":{"default":1}}`, p.ID), fmt.Sprintf(`{"projectId":%q,"cron":{},"runId":"x"}`, p.ID), `[`} {
		if _, err := s.event(t.Context(), "crons", bad); err == nil {
			t.Errorf("the event %s is accepted", bad)
		}
	}
}

func TestCrons_ByTheAPI(t *testing.T) {
	s := newStand(t)
	p, _ := s.withCron()
	var run anchor.CronRun
	s.call("api", "POST", "/projects/shop/crons/runs", `{"path":"/api/often"}`, nil, &run)
	want := schedule.Event{ProjectID: p.ID, RunID: run.ID}
	if run.Status != anchor.CronRunning || len(s.handedOver) != 1 || !reflect.DeepEqual(s.handedOver[0], want) || len(s.cloud.asked) != 0 {
		t.Fatalf("the run is %+v, handed over were %v, asked %v", run, s.handedOver, s.cloud.asked)
	}
	if got := s.call("api", "POST", "/projects/shop/crons/runs", `{"path":"/api/often"}`, nil, nil); got.StatusCode != http.StatusConflict {
		t.Errorf("a second run is answered %d", got.StatusCode)
	}
	for range 2 { // Lambda may deliver it twice
		_, err := s.event(t.Context(), "crons", want)
		must(t, err)
	}
	if len(s.cloud.asked) != 1 {
		t.Errorf("asked were %v", s.cloud.asked)
	}
	var states wire.Items[anchor.CronState]
	s.call("api", "PUT", "/projects/shop/crons/pause", `{"path":"/api/often","paused":true}`, nil, &states)
	if len(states.Items) != 1 || !states.Items[0].Paused || states.Items[0].LastRun == nil || states.Items[0].LastRun.Status != anchor.CronSucceeded {
		t.Errorf("the crons are %+v", states.Items)
	}
}

// TestBuilder_OtherBranchesArePreviews: only the production branch goes live, unless the request says otherwise.
func TestBuilder_OtherBranchesArePreviews(t *testing.T) {
	s := newStand(t)
	s.newProject()
	for body, preview := range map[string]bool{
		`"branch":"main"`: false, `"branch":"feature/x"`: true, `"branch":"feature/x","production":true`: false, `"commitSha":"c0ffee"`: false,
		`"branch":"main","noRelease":true`: true,
	} {
		var d wire.Deployment
		s.call("api", "POST", "/projects/shop/builds", `{"repository":"https://git.example/shop",`+body+`}`, nil, &d)
		if d.NoRelease != preview {
			t.Errorf("the build of %s has noRelease %v", body, d.NoRelease)
		}
	}
}

func TestDoctor_RuntimeThatEnds(t *testing.T) {
	s := newStand(t)
	s.withCron()
	find := func() wire.Check {
		t.Helper()
		var checks wire.Items[wire.Check]
		s.call("api", "GET", "/doctor", "", nil, &checks)
		i := slices.IndexFunc(checks.Items, func(c wire.Check) bool { return c.Name == "runtimes" })
		if i < 0 {
			t.Fatalf("the checks are %+v", checks.Items)
		}
		return checks.Items[i]
	}
	s.cloud.runtime = anchor.RuntimeNode24
	if day, soon := anchor.RuntimeEnd(anchor.RuntimeNode24, time.Now()); !soon && !find().OK {
		t.Errorf("a runtime until %s is %+v", day, find())
	}
	s.cloud.runtime = "nodejs18.x"
	if check := find(); !check.OK {
		t.Errorf("a runtime that Anchor does not know is %+v", check)
	}
	day, soon := anchor.RuntimeEnd(anchor.RuntimeNode22, time.Now())
	s.cloud.runtime = anchor.RuntimeNode22
	if check := find(); check.OK == soon || soon && (!strings.Contains(check.Detail, "shop (v1)") || !strings.Contains(check.Detail, day) || check.Hint == "") {
		t.Errorf("a runtime until %s is %+v", day, check)
	}
}

// TestDeployer_AlarmReturnsTraffic: the event of an alarm makes the guard look, which returns the traffic.
func TestDeployer_AlarmReturnsTraffic(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	one := s.finished()
	deploy := func(id anchor.DeploymentID) {
		t.Helper()
		_, err := s.event(t.Context(), "deploy", fmt.Sprintf(`{"deploymentId":%q,"projectId":%q}`, id, p.ID))
		must(t, err)
	}
	deploy(one)
	two := s.finished()
	deploy(two)
	var back wire.RolledBack
	s.call("rollback", "POST", "/projects/shop/rollback", fmt.Sprintf(`{"targetDeploymentId":%q}`, one), nil, &back)
	s.call("rollback", "POST", "/projects/shop/deployments/"+string(two)+"/promote", `{"split":{"weight":10,"guard":true}}`, nil, &wire.Promoted{})
	const event = `{"source":"aws.cloudwatch","detail-type":"CloudWatch Alarm State Change","detail":{"alarmName":"anchor-shop-server-errors"}}`
	split := func() *anchor.Split {
		t.Helper()
		_, err := s.event(t.Context(), "deploy", event)
		must(t, err)
		live, err := s.store.Live(t.Context(), p.ID)
		must(t, err)
		return live.Split
	}
	if split() == nil {
		t.Error("an alarm of something else ends the split")
	}
	s.cloud.seen.Evidence = anchor.Evidence{Finding: anchor.FiredAlarm, Message: "The alarm has fired"}
	if got := split(); got != nil {
		t.Errorf("after the alarm of its candidate the split is %+v", got)
	}
}

package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestDeploy_GoesLive(t *testing.T) {
	s := newStand(t)
	id := s.deployed(t, s.project)
	s.wantLive(t, s.project, id)
	d, err := s.store.Deployment(t.Context(), id)
	must(t, err)
	if d.Version != "v1" || d.DeployedAt == 0 || d.CommitSha != "c0ffee" || d.LambdaServerVersionARN != "arn:test:default:1" ||
		d.LambdaServerAliasARN != "arn:test:default:live" || d.StaticAssetsPath == "" {
		t.Errorf("the record is %+v", d)
	}
	var steps []string
	events, _ := s.journal.events(id)
	for i, e := range events {
		if e.Seq != int64(i+1) {
			t.Errorf("event %d has the number %d", i+1, e.Seq)
		}
		if e.Phase == anchor.StepEnd {
			steps = append(steps, e.Step)
		}
	}
	want := []string{"check", "assets", "functions", "cache", "probe", "release", "purge"}
	if !slices.Equal(steps, want) {
		t.Errorf("steps %v, want %v", steps, want)
	}
}

// Functions start when the artifact is checked, and before its static files are stored.
func TestDeploy_StartsFunctionsEarly(t *testing.T) {
	var calls []string
	s := newStand(t, func(s *stand) {
		s.before = func(step string) { calls = append(calls, step) }
		s.prestart = func(a deploy.Artifact) { calls = append(calls, "prestart of "+a.Build.Functions[0].Name) }
	})
	s.deployed(t, s.project)
	want := []string{"check", "assets", "prestart of default", "functions", "cache", "probe", "release", "purge"}
	if !slices.Equal(calls, want) {
		t.Errorf("%q, want %q", calls, want)
	}
}

func TestDeploy_WithoutRelease(t *testing.T) {
	s := newStand(t)
	live := s.deployed(t, s.project)
	other := s.deployed(t, s.project, noRelease)
	s.wantLive(t, s.project, live)
	if !s.platform.Holds(other) {
		t.Error("the deployment that was not released is gone")
	}
}

// faults makes the nth call of an operation fail, once. With n 0 it fails none.
type faults struct {
	mu    sync.Mutex
	armed bool
	op    string
	nth   int
	apply bool
	seen  map[string]int
}

var errLost = errors.New("lost")

func (f *faults) ask(op string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.armed {
		return false, nil
	}
	if f.seen == nil {
		f.seen = map[string]int{}
	}
	f.seen[op]++
	if op == f.op && f.seen[op] == f.nth {
		return f.apply, errLost
	}
	return false, nil
}

func (f *faults) arm(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.armed = on
}

func faultyStand(t *testing.T, f *faults) *stand {
	return newStand(t, func(s *stand) {
		s.store.Fault = func(op string) (bool, error) { return f.ask("store." + op) }
		s.platform.Fault = func(_ context.Context, op string, _ anchor.DeploymentID) (bool, error) {
			return f.ask("platform." + op)
		}
	})
}

// deployFaulty deploys one, and then another under f, whose end it waits for.
func deployFaulty(t *testing.T, f *faults) (s *stand, old, fresh anchor.DeploymentID) {
	s = faultyStand(t, f)
	old = s.deployed(t, s.project)
	fresh = s.start(t, s.project)
	f.arm(true)
	for _, err := s.Finish(t.Context(), s.project, fresh); err != nil; _, err = s.Finish(t.Context(), s.project, fresh) {
		if !errors.Is(err, errLost) {
			t.Fatal(err)
		}
	}
	s.journal.waitEnd(t, fresh)
	s.Close()
	f.arm(false)
	return s, old, fresh
}

// TestDeploy_EveryCallFailsOnce makes each call of a deploy to its records and its platform fail once,
// before and after it took effect.
func TestDeploy_EveryCallFailsOnce(t *testing.T) {
	var plan faults
	deployFaulty(t, &plan)
	if len(plan.seen) < 15 {
		t.Fatalf("a deploy makes only these calls: %v", plan.seen)
	}
	for op, calls := range plan.seen {
		for nth := 1; nth <= calls; nth++ {
			for _, apply := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s %d applied %v", op, nth, apply), func(t *testing.T) {
					f := &faults{op: op, nth: nth, apply: apply}
					s, old, fresh := deployFaulty(t, f)
					wantSound(t, s, op, old, fresh)
				})
			}
		}
	}
}

// wantSound asserts what holds whatever failed: the deployment has ended, live is the old or
// the new one and the records agree, and a failed deployment left nothing.
func wantSound(t *testing.T, s *stand, failed string, old, fresh anchor.DeploymentID) {
	t.Helper()
	d, err := s.store.Deployment(t.Context(), fresh)
	must(t, err)
	live, err := s.store.Live(t.Context(), s.project)
	must(t, err)
	switch d.Status {
	case anchor.Deployed:
		if live.Deployment != fresh || live.Revision != 2 {
			t.Errorf("it is deployed, but live is %+v", live)
		}
	case anchor.DeployFailed:
		revision := int64(1)
		if failed == "platform.Follow" {
			revision = 3 // the release and its undo
		}
		if live.Deployment != old || live.Revision != revision {
			t.Errorf("it failed, but live is %+v", live)
		}
		if d.ErrorStep == "" || !strings.Contains(d.ErrorMessage, errLost.Error()) {
			t.Errorf("it failed without a step and cause: %q %q", d.ErrorStep, d.ErrorMessage)
		}
		if s.platform.Holds(fresh) && failed != "platform.Remove" {
			t.Error("it failed and left things on the platform")
		}
	default:
		t.Errorf("it ended as %q", d.Status)
	}
	if routed := s.platform.Routed(s.project); routed != live.Deployment {
		t.Errorf("traffic goes to %s, live is %s", routed, live.Deployment)
	}
	if !s.platform.Holds(old) {
		t.Error("what the old one needs is gone")
	}
	events, err := s.store.Events(t.Context(), fresh, 0)
	must(t, err)
	if last := events[len(events)-1]; failed != "store.Append" && last.Status != d.Status {
		t.Errorf("the journal ends with %+v, the record with %s", last, d.Status)
	}
}

// TestDeploy_RecordsFailTemporarily holds an end back until the records answer again.
func TestDeploy_RecordsFailTemporarily(t *testing.T) {
	down := make(chan struct{})
	s := newStand(t, func(s *stand) {
		var tries atomic.Int64 // the leftovers are removed beside the test
		s.platform.Fault = func(_ context.Context, op string, _ anchor.DeploymentID) (bool, error) {
			if op == "Probe" {
				close(down)
				return false, errLost
			}
			return false, nil
		}
		s.store.Fault = func(op string) (bool, error) {
			select {
			case <-down:
				if tries.Add(1) < 6 && op == "Deployment" {
					return false, errLost
				}
			default:
			}
			return false, nil
		}
	})
	id := s.deploy(t, s.project)
	if d := s.wantStatus(t, id, anchor.DeployFailed); d.ErrorStep != "probe" {
		t.Errorf("it failed at %q", d.ErrorStep)
	}
}

func TestDeploy_BrokenArtifactChangesNothing(t *testing.T) {
	s := newStand(t)
	good := s.deployed(t, s.project)
	dir := platformtest.NewApp("v2").With("open-next.output.json", "{").Write(t)
	id := s.deployTree(t, dir)
	d := s.wantStatus(t, id, anchor.DeployFailed)
	if d.ErrorStep != "check" || !strings.Contains(d.ErrorMessage, "open-next.output.json") {
		t.Errorf("it failed at %q: %s", d.ErrorStep, d.ErrorMessage)
	}
	s.wantLive(t, s.project, good)
	for _, call := range s.platform.Calls() {
		if call.Deployment == id && call.Op != "Remove" {
			t.Errorf("the platform was asked to %s", call.Op)
		}
	}
}

func TestDeploy_DeletedProjectLeavesNothing(t *testing.T) {
	s := newStand(t, func(s *stand) {
		s.platform.Fault = func(ctx context.Context, op string, _ anchor.DeploymentID) (bool, error) {
			if op == "Probe" {
				return false, s.store.DeleteProject(ctx, s.project)
			}
			return false, nil
		}
	})
	id := s.deploy(t, s.project)
	eventually(t, "its things are removed", func() bool { return !s.platform.Holds(id) })
}

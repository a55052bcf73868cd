package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/aws/lambda"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/release"
)

// process sends the deploy handler of a process of its own a deployment's event.
func (s *stand) process(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) error {
	handler, err := s.compose().Named("deploy")
	if err != nil {
		return err
	}
	raw, err := json.Marshal(lambda.DeployEvent{DeploymentID: id, ProjectID: p})
	if err != nil {
		return err
	}
	_, err = handler(ctx, raw)
	return err
}

// lease takes a project's lease of passes as another process would.
func (s *stand) lease(p anchor.ProjectID) (release func()) {
	s.t.Helper()
	_, free, err := s.leases.Lease(s.t.Context(), p+"/deploy", "another", time.Minute)
	must(s.t, err)
	return func() { must(s.t, free(context.WithoutCancel(s.t.Context()))) }
}

func (s *stand) wantDispatched(want ...anchor.DeploymentID) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Equal(s.dispatched, want) {
		s.t.Errorf("dispatched %v, want %v", s.dispatched, want)
	}
	s.dispatched = nil
}

// hold is a call of the platform that waits until it is released or its context ends.
type hold struct {
	entered, letGo chan struct{}
	once           sync.Once
}

// holdCall holds up the calls of one operation. When finishes is true, they take effect even if
// their context ends.
func (s *stand) holdCall(op string, finishes bool) *hold {
	h := &hold{entered: make(chan struct{}), letGo: make(chan struct{})}
	s.cloud.Fault = func(ctx context.Context, asked string, _ anchor.DeploymentID) (bool, error) {
		if asked != op {
			return false, nil
		}
		h.once.Do(func() { close(h.entered) })
		select {
		case <-h.letGo:
			return finishes, nil
		case <-ctx.Done():
			return finishes, ctx.Err()
		}
	}
	return h
}

// steps are the platform's operations in a pass, up to the release.
var steps = []string{"Check", "Upload", "Publish", "Seed", "Probe"}

func TestFinish_ThatCannotDispatch(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	id := s.upload()
	s.undeliver = errors.New("throttled")
	got := s.call("api", "POST", "/projects/shop/deployments/"+string(id)+"/finish", "", nil, nil)
	if got.StatusCode != 500 || !strings.Contains(got.Body, "dispatch_failed") || !strings.Contains(got.Body, "Nothing is lost") {
		t.Errorf("it is answered %d: %s", got.StatusCode, got.Body)
	}
	s.undeliver = nil
	_, err := s.event(t.Context(), "deploy", `{"reconcile": true}`)
	must(t, err)
	s.wantDispatched(id)
	must(t, s.process(t.Context(), p.ID, id))
	s.wantStatus(id, anchor.Deployed)
}

func TestReconcile_LeavesAProjectAloneThatIsDeployed(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	id := s.finished()
	release := s.lease(p.ID)
	_, err := s.event(t.Context(), "deploy", `{"reconcile": true}`)
	must(t, err)
	s.wantDispatched()
	release()
	_, err = s.event(t.Context(), "deploy", `{"reconcile": true}`)
	must(t, err)
	s.wantDispatched(id)
}

func TestProcess_RefusesWhatWaitsForFiles(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	if err := s.process(t.Context(), p.ID, s.upload()); anchor.CodeOf(err) != "not_built" || anchor.HintOf(err) == "" {
		t.Errorf("it returns %v", err)
	}
}

func TestProcess_RemovesWhatAFailedDeploymentLeft(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	s.cloud.Fault = func(_ context.Context, op string, _ anchor.DeploymentID) (bool, error) {
		if op == "Probe" {
			return false, anchor.Failed("probe_failed", "it answered 500")
		}
		return false, nil
	}
	id := s.finished()
	must(t, s.process(t.Context(), p.ID, id))
	if d := s.wantStatus(id, anchor.DeployFailed); d.ErrorStep != "probe" {
		t.Errorf("it failed in %q: %s", d.ErrorStep, d.ErrorMessage)
	}
	if s.cloud.Holds(id) {
		t.Error("what it had is still there when the handler returns")
	}
}

func TestProcess_WaitsForItsTurn(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	id := s.finished()
	s.leases.tried = make(chan struct{}, 1)
	release := s.lease(p.ID)
	done := make(chan error, 1)
	go func() { done <- s.process(t.Context(), p.ID, id) }()
	<-s.leases.tried
	if calls := s.cloud.Calls(); len(calls) != 0 {
		t.Errorf("without its turn it called %v", calls)
	}
	release()
	must(t, <-done)
	s.wantStatus(id, anchor.Deployed)
}

func TestProcess_WhoseTurnDoesNotComeIsDispatchedAgain(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	id := s.finished()
	defer s.lease(p.ID)()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+50*time.Millisecond) // waits for its turn until 10 s before
	defer cancel()
	must(t, s.process(ctx, p.ID, id))
	s.wantDispatched(id)
	s.wantStatus(id, anchor.Built)
}

func TestProcess_OfACanceledDeploymentDoesNotWaitForItsTurn(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	id := s.finished()
	s.leases.tried = make(chan struct{}, 1)
	defer s.lease(p.ID)()
	done := make(chan error, 1)
	go func() { done <- s.process(t.Context(), p.ID, id) }()
	<-s.leases.tried
	s.cancel(id)
	must(t, <-done)
	s.wantStatus(id, anchor.Canceled)
}

// cancel cancels a deployment by the API.
func (s *stand) cancel(id anchor.DeploymentID) {
	s.t.Helper()
	var d wire.Deployment
	s.call("api", "POST", "/projects/shop/deployments/"+string(id)+"/cancel", "", nil, &d)
	if d.Status != anchor.Canceled {
		s.t.Errorf("canceled, it is %s", d.Status)
	}
}

// TestProcess_CutOffInEachStep ends the invocation's context while the platform works.
func TestProcess_CutOffInEachStep(t *testing.T) {
	for _, op := range steps {
		t.Run(op, func(t *testing.T) {
			s := newStand(t)
			p := s.newProject()
			id := s.finished()
			h := s.holdCall(op, false)
			ctx, cut := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.process(ctx, p.ID, id) }()
			<-h.entered
			cut()
			must(t, <-done)
			s.wantDispatched(id)
			if len(s.leases.held) != 0 {
				t.Errorf("leases are still held: %v", s.leases.held)
			}
			close(h.letGo)
			must(t, s.process(t.Context(), p.ID, id))
			s.wantStatus(id, anchor.Deployed)
		})
	}
}

// TestProcess_CanceledInEachStep cancels in another process while the platform works.
func TestProcess_CanceledInEachStep(t *testing.T) {
	for _, op := range steps {
		t.Run(op, func(t *testing.T) {
			s := newStand(t)
			p := s.newProject()
			id := s.finished()
			h := s.holdCall(op, true)
			done := make(chan error, 1)
			go func() { done <- s.process(t.Context(), p.ID, id) }()
			<-h.entered
			s.cancel(id)
			close(h.letGo)
			must(t, <-done)
			s.wantStatus(id, anchor.Canceled)
			if s.cloud.Holds(id) {
				t.Error("what the pass did after the cancel is still there")
			}
			if routed := s.cloud.Routed(p.ID); routed != "" {
				t.Errorf("traffic goes to %s", routed)
			}
		})
	}
}

// TestProcess_PassesOfOneProjectDoNotMeet processes deployments of a project, each twice at the same
// time in separate processes.
func TestProcess_PassesOfOneProjectDoNotMeet(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	var ids []anchor.DeploymentID
	for range 5 {
		ids = append(ids, s.finished())
	}
	var all sync.WaitGroup
	for _, id := range ids {
		for range 2 {
			all.Go(func() {
				if err := s.process(t.Context(), p.ID, id); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	for _, id := range ids {
		d, err := s.store.Deployment(t.Context(), id)
		must(t, err)
		if d.Status != anchor.Deployed && d.Status != anchor.Superseded {
			t.Errorf("%s is %s: %s", id, d.Status, d.ErrorMessage)
		}
	}
	wantUnmixed(t, s.cloud.Calls())
	if live := s.cloud.Routed(p.ID); live != ids[len(ids)-1] {
		t.Errorf("traffic goes to %s, want the newest, %s", live, ids[len(ids)-1])
	}
}

// wantUnmixed checks that the calls of one deployment come without calls of another in between.
func wantUnmixed(t *testing.T, calls []platformtest.Call) {
	t.Helper()
	var last anchor.DeploymentID
	over := map[anchor.DeploymentID]bool{}
	for _, c := range calls {
		if over[c.Deployment] {
			t.Errorf("%s of %s comes after calls of another deployment", c.Op, c.Deployment)
		}
		if last != "" && last != c.Deployment {
			over[last] = true
		}
		last = c.Deployment
	}
}

func TestProcess_GivesUpWhatNoPassCouldEnd(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	old := anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, Status: anchor.Deploying,
		CreatedAt: time.Now().Add(-25 * time.Hour).UnixMilli(),
	}
	must(t, s.store.CreateDeployment(t.Context(), old))
	must(t, s.process(t.Context(), p.ID, old.ID))
	if d := s.wantStatus(old.ID, anchor.DeployFailed); d.ErrorStep != "process" || !strings.Contains(d.ErrorMessage, "within a day") {
		t.Errorf("given up, it failed in %q: %s", d.ErrorStep, d.ErrorMessage)
	}
	s.wantDispatched(old.ID) // to remove what it left
	must(t, s.process(t.Context(), p.ID, old.ID))
}

func TestBuild_WhileAnotherIsStarted(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	_, _, err := s.leases.Lease(t.Context(), p.ID+"/build", "another", time.Minute)
	must(t, err)
	got := s.call("api", "POST", "/projects/shop/builds", `{"repository":"https://git.example/shop"}`, map[string]string{"idempotency-key": "k"}, nil)
	if got.StatusCode != 503 || !strings.Contains(got.Body, "build_starting") || len(s.builder.builds) != 0 {
		t.Errorf("it is answered %d: %s", got.StatusCode, got.Body)
	}
}

// TestReconcile_TakesTheStepsOfSplits: a process of the schedule takes a step that is due, another one returns by what is observed.
func TestReconcile_TakesTheStepsOfSplits(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	deployed := func() anchor.DeploymentID {
		id := s.finished()
		must(t, s.process(t.Context(), p.ID, id))
		return id
	}
	candidate, stable := deployed(), deployed()
	wantWeight := func(weight int) anchor.Live {
		t.Helper()
		live, err := s.store.Live(t.Context(), p.ID)
		must(t, err)
		if live.Deployment != stable || weight == 0 && live.Split != nil || weight > 0 && (live.Split == nil || live.Split.Weight != weight) {
			t.Fatalf("%+v with the split %+v", live, live.Split)
		}
		return live
	}
	got := s.call("rollback", "POST", "/projects/shop/deployments/"+string(candidate)+"/promote",
		`{"split":{"weight":10,"guard":true,"then":[50,60],"everySeconds":1}}`, nil, nil)
	if got.StatusCode != 200 {
		t.Fatalf("%d: %s", got.StatusCode, got.Body)
	}
	reconcile := func() {
		t.Helper()
		_, err := s.event(t.Context(), "deploy", `{"reconcile": true}`)
		must(t, err)
	}
	s.cloud.seen = release.Observation{StepFor: time.Hour, StepRequests: 100}
	for due := wantWeight(10).Split.NextAt; time.Now().UnixMilli() < due; { // the step is due by the clock of the machine
		reconcile()
	}
	reconcile()
	wantWeight(50)
	s.cloud.seen.Evidence = anchor.Evidence{Finding: anchor.WorseErrors, Message: "8 of 50 requests failed"}
	reconcile()
	wantWeight(0)
	s.wantLogged(`"finding":"8 of 50 requests failed"`)
	if got := s.call("rollback", "DELETE", "/projects/shop/split", "", nil, nil); got.StatusCode != 409 {
		t.Errorf("%d: %s", got.StatusCode, got.Body)
	}
}

package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// leases are those of several processes, in memory.
type leases struct {
	mu      sync.Mutex
	holders map[anchor.ProjectID]string
	held    chan string // receives every try that met another holder, when not nil
}

func newLeases() *leases { return &leases{holders: map[anchor.ProjectID]string{}} }

func (l *leases) Lease(ctx context.Context, p anchor.ProjectID, holder string, _ time.Duration) (renew, release func(context.Context) error, err error) {
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if has := l.holders[p]; has != "" && has != holder {
		if l.held != nil {
			select {
			case l.held <- holder:
			default:
			}
		}
		return nil, nil, anchor.Conflict("lease_held", "%s has the lease of %s", has, p)
	}
	l.holders[p] = holder
	return func(context.Context) error { return l.renew(p, holder) },
		func(context.Context) error { return l.release(p, holder) }, nil
}

func (l *leases) renew(p anchor.ProjectID, holder string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holders[p] != holder {
		return anchor.Conflict("lease_held", "the lease of %s is lost", p)
	}
	return nil
}

func (l *leases) release(p anchor.ProjectID, holder string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.holders[p] == holder {
		delete(l.holders, p)
	}
	return nil
}

// dispatcher records what was to be processed elsewhere.
type dispatcher struct {
	mu   sync.Mutex
	asks []anchor.DeploymentID
	err  error
}

func (d *dispatcher) dispatch(_ context.Context, _ anchor.ProjectID, id anchor.DeploymentID) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return d.err
	}
	d.asks = append(d.asks, id)
	return nil
}

// dispatched is a stand whose passes run where somebody calls Process.
func dispatched(t *testing.T, options ...func(*stand)) (*stand, *dispatcher, *leases) {
	t.Helper()
	d, l := &dispatcher{}, newLeases()
	s := newStand(t, append(options, func(s *stand) { s.dispatch, s.leases = d.dispatch, l })...)
	return s, d, l
}

func TestFinishDispatches(t *testing.T) {
	s, elsewhere, _ := dispatched(t)
	id := s.deploy(t, s.project)
	if len(elsewhere.asks) != 1 || elsewhere.asks[0] != id {
		t.Fatalf("dispatched %v, want %s", elsewhere.asks, id)
	}
	d, err := s.store.Deployment(t.Context(), id)
	must(t, err)
	if d.Status != anchor.Built {
		t.Fatalf("before its pass it is %s", d.Status)
	}
	must(t, s.Process(t.Context(), id))
	s.wantStatus(t, id, anchor.Deployed)
	s.wantLive(t, s.project, id)
	must(t, s.Process(t.Context(), id)) // the event comes twice
	if got := published(s.platform, map[anchor.DeploymentID]anchor.ProjectID{id: s.project}, s.project); len(got) != 1 {
		t.Errorf("published %d times", len(got))
	}
}

func TestFinishThatCannotDispatch(t *testing.T) {
	s, elsewhere, _ := dispatched(t)
	elsewhere.err = errors.New("throttled")
	id := s.start(t, s.project)
	_, err := s.Finish(t.Context(), s.project, id)
	if anchor.CodeOf(err) != "dispatch_failed" || anchor.HintOf(err) == "" {
		t.Errorf("Finish = %v", err)
	}
	elsewhere.err = nil
	must(t, s.Resume(t.Context()))
	if len(elsewhere.asks) != 1 {
		t.Fatalf("the next round dispatched %v", elsewhere.asks)
	}
	must(t, s.Process(t.Context(), id))
	s.wantStatus(t, id, anchor.Deployed)
}

func TestResumeLeavesAProjectAloneThatIsWorkedOn(t *testing.T) {
	s, elsewhere, l := dispatched(t)
	s.deploy(t, s.project)
	other := s.newProject(t, "other")
	s.deploy(t, other)
	_, release, err := l.Lease(t.Context(), s.project+"/deploy", "somebody", time.Minute)
	must(t, err)
	elsewhere.asks = nil
	must(t, s.Resume(t.Context()))
	if len(elsewhere.asks) != 1 {
		t.Errorf("dispatched %v, want that of the other project only", elsewhere.asks)
	}
	must(t, release(t.Context()))
	elsewhere.asks = nil
	must(t, s.Resume(t.Context()))
	if len(elsewhere.asks) != 2 {
		t.Errorf("dispatched %v, want both", elsewhere.asks)
	}
}

func TestProcessOfWhatWaitsForFiles(t *testing.T) {
	s, _, _ := dispatched(t)
	wantKind(t, s.Process(t.Context(), s.start(t, s.project)), anchor.KindConflict)
	if err := s.Process(t.Context(), "nowhere"); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("Process of no deployment = %v", err)
	}
}

func TestProcessTellsAFailureInTheRecord(t *testing.T) {
	s, _, _ := dispatched(t, func(s *stand) {
		s.platform.Fault = func(_ context.Context, op string, _ anchor.DeploymentID) (bool, error) {
			if op == "Probe" {
				return false, anchor.Failed("probe_failed", "it answered 500").Hintf("Look at its logs.")
			}
			return false, nil
		}
	})
	id := s.deploy(t, s.project)
	must(t, s.Process(t.Context(), id))
	if d := s.wantStatus(t, id, anchor.DeployFailed); d.ErrorStep != "probe" {
		t.Errorf("it failed in %q: %s", d.ErrorStep, d.ErrorMessage)
	}
	if s.platform.Holds(id) {
		t.Error("what it had is still there when Process returns")
	}
}

// TestProcessesOfOneProjectDoNotMeet runs ten deployments of two projects, each processed twice
// at the same time by separate services.
func TestProcessesOfOneProjectDoNotMeet(t *testing.T) {
	s, _, _ := dispatched(t, func(s *stand) { s.keep = 100 })
	project := map[anchor.DeploymentID]anchor.ProjectID{}
	other := s.newProject(t, "other")
	var ids []anchor.DeploymentID
	for range 5 {
		for _, p := range []anchor.ProjectID{s.project, other} {
			id := s.deploy(t, p)
			ids, project[id] = append(ids, id), p
		}
	}
	var all sync.WaitGroup
	for _, id := range ids {
		for range 2 {
			all.Go(func() {
				if err := s.Process(t.Context(), id); err != nil {
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
	wantUnmixed(t, s.platform.Calls(), project)
	s.wantLive(t, s.project, ids[8])
	s.wantLive(t, other, ids[9])
}

// wantUnmixed checks that in each project the calls of one deployment come in one go.
func wantUnmixed(t *testing.T, calls []platformtest.Call, project map[anchor.DeploymentID]anchor.ProjectID) {
	t.Helper()
	last, over := map[anchor.ProjectID]anchor.DeploymentID{}, map[anchor.DeploymentID]bool{}
	for _, c := range calls {
		p := project[c.Deployment]
		if over[c.Deployment] {
			t.Errorf("%s of %s comes after calls of another deployment", c.Op, c.Deployment)
		}
		if before := last[p]; before != "" && before != c.Deployment {
			over[before] = true
		}
		last[p] = c.Deployment
	}
}

func TestProcessWaitsForItsTurn(t *testing.T) {
	s, _, l := dispatched(t)
	id := s.deploy(t, s.project)
	l.held = make(chan string, 1)
	_, release, err := l.Lease(t.Context(), s.project+"/deploy", "another", time.Minute)
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Process(t.Context(), id) }()
	<-l.held
	if calls := s.platform.Calls(); len(calls) != 0 {
		t.Errorf("without its turn it called %v", calls)
	}
	must(t, release(t.Context()))
	must(t, <-done)
	s.wantStatus(t, id, anchor.Deployed)
}

func TestProcessWhoseTurnDoesNotCome(t *testing.T) {
	s, _, l := dispatched(t)
	id := s.deploy(t, s.project)
	_, _, err := l.Lease(t.Context(), s.project+"/deploy", "another", time.Minute)
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second+50*time.Millisecond)
	defer cancel()
	if err := s.Process(ctx, id); !errors.Is(err, deploy.ErrUnfinished) {
		t.Errorf("Process = %v, want ErrUnfinished", err)
	}
	d, err := s.store.Deployment(t.Context(), id)
	must(t, err)
	if d.Status != anchor.Built {
		t.Errorf("it is %s", d.Status)
	}
}

func TestACanceledOneDoesNotWaitForItsTurn(t *testing.T) {
	s, _, l := dispatched(t)
	id := s.deploy(t, s.project)
	l.held = make(chan string, 1)
	_, _, err := l.Lease(t.Context(), s.project+"/deploy", "another", time.Minute)
	must(t, err)
	done := make(chan error, 1)
	go func() { done <- s.Process(t.Context(), id) }()
	<-l.held
	_, err = s.Cancel(t.Context(), s.project, id)
	must(t, err)
	must(t, <-done)
	s.wantStatus(t, id, anchor.Canceled)
}

// TestProcessStopsBeforeItsDeadline: what is done then is not done again, and what is
// left is.
func TestProcessStopsBeforeItsDeadline(t *testing.T) {
	s, _, _ := dispatched(t)
	id := s.deploy(t, s.project)
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second) // too little for a step
	defer cancel()
	if err := s.Process(ctx, id); !errors.Is(err, deploy.ErrUnfinished) {
		t.Fatalf("Process = %v, want ErrUnfinished", err)
	}
	d, err := s.store.Deployment(t.Context(), id)
	must(t, err)
	if d.Status != anchor.Deploying || len(s.platform.Calls()) != 0 {
		t.Errorf("it is %s after %v", d.Status, s.platform.Calls())
	}
	must(t, s.Process(t.Context(), id))
	s.wantStatus(t, id, anchor.Deployed)
}

// TestProcessIsCutOffInEachStep ends the caller's context while the platform works.
func TestProcessIsCutOffInEachStep(t *testing.T) {
	for _, op := range []string{"Check", "Upload", "Publish", "Seed", "Probe"} {
		t.Run(op, func(t *testing.T) {
			h := newHold()
			s, _, l := dispatched(t, func(s *stand) {
				s.platform.Fault = func(ctx context.Context, asked string, _ anchor.DeploymentID) (bool, error) {
					if asked == op {
						return false, h.wait(ctx)
					}
					return false, nil
				}
			})
			id := s.deploy(t, s.project)
			ctx, cut := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- s.Process(ctx, id) }()
			<-h.entered
			cut()
			if err := <-done; !errors.Is(err, deploy.ErrUnfinished) {
				t.Fatalf("Process = %v, want ErrUnfinished", err)
			}
			if len(l.holders) != 0 {
				t.Errorf("the lease is still held: %v", l.holders)
			}
			close(h.letGo)
			must(t, s.Process(t.Context(), id))
			s.wantStatus(t, id, anchor.Deployed)
			s.wantLive(t, s.project, id)
		})
	}
}

// TestCancelByAnotherProcess cancels over the records alone, in each step.
func TestCancelByAnotherProcess(t *testing.T) {
	for _, op := range []string{"Check", "Upload", "Publish", "Seed", "Probe"} {
		t.Run(op, func(t *testing.T) {
			h := newHold()
			s, _, _ := dispatched(t, func(s *stand) {
				s.platform.Fault = func(ctx context.Context, asked string, _ anchor.DeploymentID) (bool, error) {
					if asked == op {
						return true, h.wait(ctx)
					}
					return false, nil
				}
			})
			id := s.deploy(t, s.project)
			done := make(chan error, 1)
			go func() { done <- s.Process(t.Context(), id) }()
			<-h.entered
			d, err := s.Cancel(t.Context(), s.project, id)
			must(t, err)
			if d.Status != anchor.Canceled {
				t.Errorf("canceled, it is %s", d.Status)
			}
			close(h.letGo)
			must(t, <-done)
			s.wantStatus(t, id, anchor.Canceled)
			if s.platform.Holds(id) {
				t.Error("what the pass did after the cancel is still there")
			}
			if _, err := s.store.Live(t.Context(), s.project); !errors.Is(err, anchor.ErrNotFound) {
				t.Errorf("something is live: %v", err)
			}
		})
	}
}

func TestADeploymentNoPassCanEndIsGivenUp(t *testing.T) {
	s, _, _ := dispatched(t)
	old := anchor.Deployment{
		ID: anchor.DeploymentID(anchor.NewID()), ProjectID: s.project, Status: anchor.Deploying,
		CreatedAt: time.Now().Add(-25 * time.Hour).UnixMilli(),
	}
	must(t, s.store.CreateDeployment(t.Context(), old))
	must(t, s.Process(t.Context(), old.ID))
	if d := s.wantStatus(t, old.ID, anchor.DeployFailed); d.ErrorStep != "process" || d.ErrorMessage == "" {
		t.Errorf("given up, it is %s", fmt.Sprint(d))
	}
}

package deploy_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestOrder_OlderRequestIsSuperseded(t *testing.T) {
	s := newStand(t)
	older := s.start(t, s.project)
	newer := s.deployed(t, s.project)
	_, err := s.Finish(t.Context(), s.project, older)
	must(t, err)
	d := s.wantStatus(t, older, anchor.Superseded)
	if d.ErrorStep != "release" || !strings.Contains(d.ErrorMessage, string(newer)) {
		t.Errorf("superseded at %q: %q", d.ErrorStep, d.ErrorMessage)
	}
	s.wantLive(t, s.project, newer)

	// What its error recommends.
	if want := "anchor promote " + string(older); !strings.Contains(d.ErrorMessage, want) {
		t.Errorf("the error %q does not recommend %q", d.ErrorMessage, want)
	}
	_, err = s.releases.Promote(t.Context(), s.project, older)
	must(t, err)
	s.wantLive(t, s.project, older)
	if !s.platform.Holds(older) {
		t.Error("what was promoted has lost its files")
	}
	back, err := s.releases.Rollback(t.Context(), s.project, "")
	must(t, err)
	again, err := s.releases.Rollback(t.Context(), s.project, older)
	must(t, err)
	for _, d := range []anchor.Deployment{back.Record, again.Record} {
		if d.Status != anchor.Deployed || d.ErrorMessage != "" || d.ErrorStep != "" {
			t.Errorf("the rollback's record is %s: %q at %q", d.Status, d.ErrorMessage, d.ErrorStep)
		}
	}
	s.wantLive(t, s.project, older)
}

func TestOrder_DeployBeforeRollbackIsSuperseded(t *testing.T) {
	s := newStand(t)
	first := s.deployed(t, s.project)
	s.deployed(t, s.project)
	under := s.start(t, s.project)
	_, err := s.releases.Rollback(t.Context(), s.project, first)
	must(t, err)
	_, err = s.Finish(t.Context(), s.project, under)
	must(t, err)
	s.wantStatus(t, under, anchor.Superseded)
	s.wantLive(t, s.project, first)

	after := s.deployed(t, s.project) // asked for after the rollback
	s.wantLive(t, s.project, after)
}

// spans records when each deployment's pass begins and ends, by its first and last
// call of the platform.
type spans struct {
	mu      sync.Mutex
	running map[anchor.ProjectID]bool
	met     chan struct{} // closed once two projects are under way
	clashes []string
	project map[anchor.DeploymentID]anchor.ProjectID
}

func (s *spans) of(ctx context.Context, op string, d anchor.DeploymentID) {
	p, known := s.project[d]
	if !known {
		return
	}
	switch op {
	case "Check":
		s.begin(p, d)
		// Passes are so short here that on one core no two would overlap by
		// themselves: the first waits for the second.
		select {
		case <-s.met:
		case <-ctx.Done():
		case <-time.After(patience):
		}
	case "Purge":
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.running, p)
	}
}

func (s *spans) begin(p anchor.ProjectID, d anchor.DeploymentID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running[p] {
		s.clashes = append(s.clashes, fmt.Sprintf("%s began while another of its project ran", d))
	}
	s.running[p] = true
	if len(s.running) == 2 && !s.sideBySide() {
		close(s.met)
	}
}

func (s *spans) sideBySide() bool {
	select {
	case <-s.met:
		return true
	default:
		return false
	}
}

// TestLanes deploys ten projects ten times each, the finishes in reverse order.
func TestLanes(t *testing.T) {
	sp := &spans{
		running: map[anchor.ProjectID]bool{}, met: make(chan struct{}),
		project: map[anchor.DeploymentID]anchor.ProjectID{},
	}
	gate := make(chan struct{})
	s := newStand(t, func(s *stand) {
		s.keep = 100
		s.platform.Fault = func(ctx context.Context, op string, d anchor.DeploymentID) (bool, error) {
			<-gate
			sp.of(ctx, op, d)
			return false, nil
		}
	})
	byProject := map[anchor.ProjectID][]anchor.DeploymentID{}
	for i := range 10 {
		p := s.newProject(t, fmt.Sprintf("site-%d", i))
		for range 10 {
			id := s.start(t, p)
			byProject[p] = append(byProject[p], id)
			sp.project[id] = p
		}
	}
	// The first of each project goes first, so that its lane is taken when the others come.
	for p, ids := range byProject {
		_, err := s.Finish(t.Context(), p, ids[0])
		must(t, err)
		for _, id := range slices.Backward(ids[1:]) {
			_, err := s.Finish(t.Context(), p, id)
			must(t, err)
		}
	}
	close(gate)
	for p, ids := range byProject {
		for _, id := range ids {
			s.wantStatus(t, id, anchor.Deployed)
		}
		s.wantLive(t, p, ids[len(ids)-1])
		if got := published(s.platform, sp.project, p); !slices.Equal(got, ids) {
			t.Errorf("deployed in the order %v, asked for in the order %v", got, ids)
		}
	}
	sp.mu.Lock()
	defer sp.mu.Unlock()
	if len(sp.clashes) > 0 {
		t.Errorf("deployments of one project interleave: %v", sp.clashes)
	}
	if !sp.sideBySide() {
		t.Error("no two projects deployed side by side")
	}
}

func published(m *platformtest.Memory, project map[anchor.DeploymentID]anchor.ProjectID, p anchor.ProjectID) (ids []anchor.DeploymentID) {
	for _, call := range m.Calls() {
		if call.Op == "Publish" && project[call.Deployment] == p {
			ids = append(ids, call.Deployment)
		}
	}
	return ids
}

// TestOrder_RollbacksAmongDeploys races both and asserts that the pointer, the traffic and the last
// release agree, and that no release is older than the one before it.
func TestOrder_RollbacksAmongDeploys(t *testing.T) {
	s := newStand(t)
	base := s.deployed(t, s.project)
	var ids []anchor.DeploymentID
	for range 8 {
		ids = append(ids, s.start(t, s.project))
	}
	var all sync.WaitGroup
	for _, id := range ids {
		all.Go(func() {
			if _, err := s.Finish(t.Context(), s.project, id); err != nil {
				t.Error(err)
			}
		})
		all.Go(func() {
			if _, err := s.releases.Rollback(t.Context(), s.project, base); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	for _, id := range ids {
		s.journal.waitEnd(t, id)
	}
	releases, err := s.store.Releases(t.Context(), s.project, anchor.Page{Limit: anchor.MaxPage})
	must(t, err)
	for i := 1; i < len(releases.Items); i++ {
		if newer, older := releases.Items[i-1], releases.Items[i]; newer.Kind == anchor.ReleaseDeploy && newer.Order < older.Order {
			t.Errorf("the deploy %s went live after the newer request %d", newer.Deployment, older.Order)
		}
	}
	s.wantLive(t, s.project, releases.Items[0].Deployment)
}

// TestProcess_AnotherProcessReleasesFirst moves the pointer between the read and the swap.
func TestProcess_AnotherProcessReleasesFirst(t *testing.T) {
	for _, newer := range []bool{false, true} {
		t.Run(fmt.Sprintf("newer %v", newer), func(t *testing.T) {
			var s *stand
			var base anchor.DeploymentID
			var armed atomic.Bool
			s = newStand(t, func(s *stand) {
				s.store.Fault = func(op string) (bool, error) {
					if op == "Move" && armed.CompareAndSwap(true, false) {
						moveBy(t, s, base, newer)
					}
					return false, nil
				}
			})
			base = s.deployed(t, s.project)
			if !newer {
				base = s.start(t, s.project)
			}
			id := s.start(t, s.project)
			armed.Store(true)
			_, err := s.Finish(t.Context(), s.project, id)
			must(t, err)
			if newer {
				s.wantStatus(t, id, anchor.Superseded)
				return
			}
			s.wantStatus(t, id, anchor.Deployed)
			s.wantLive(t, s.project, id)
		})
	}
}

// moveBy makes a deployment live as another process would: one that was accepted
// before by its own deploy, or, newer, any by a promote.
func moveBy(t *testing.T, s *stand, to anchor.DeploymentID, newer bool) {
	from, err := s.store.Live(t.Context(), s.project)
	must(t, err)
	next := anchor.Release{
		ID: anchor.ReleaseID(anchor.NewID()), ProjectID: s.project, Kind: anchor.ReleasePromote, Deployment: to, Record: to,
	}
	var record *anchor.Deployment
	if !newer {
		d, err := s.store.Deployment(t.Context(), to)
		must(t, err)
		for _, status := range []anchor.Status{anchor.Built, anchor.Deploying} {
			before := d.Status
			d.Status = status
			must(t, s.store.UpdateDeployment(t.Context(), d, before))
		}
		d.Status, next.Kind = anchor.Deployed, anchor.ReleaseDeploy
		record = &d
	}
	_, err = s.store.Move(t.Context(), from, next, record)
	must(t, err)
}

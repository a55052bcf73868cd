package release_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/records/memory"
	"github.com/anchor-deploy/anchor/internal/release"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

var errLost = errors.New("lost")

// stand is the use-case over records and a platform in memory.
type stand struct {
	*release.Service
	store    *memory.Store
	platform *platformtest.Memory
	project  anchor.ProjectID
}

func newStand(t *testing.T) *stand {
	t.Helper()
	s := &stand{store: memory.New(), platform: platformtest.NewMemory()}
	s.Service = release.New(release.Ports{Pointer: s.store, Traffic: s.platform, Records: s.store}, release.Options{})
	s.project = s.newProject(t, "shop")
	return s
}

func (s *stand) newProject(t *testing.T, slug string) anchor.ProjectID {
	t.Helper()
	id := anchor.ProjectID(anchor.NewID())
	must(t, s.store.CreateProject(t.Context(), anchor.Project{ID: id, Slug: slug}))
	return id
}

// record writes a deployment in some status and publishes it on the platform.
func (s *stand) record(t *testing.T, p anchor.ProjectID, status anchor.Status) anchor.Deployment {
	t.Helper()
	id := anchor.NewID()
	d := anchor.Deployment{
		ID: anchor.DeploymentID(id), ProjectID: p, Status: status, Version: "v-" + id,
		CommitSha: "c0ffee", Branch: "main", CreatedAt: time.Now().UnixMilli(), Functions: map[string]anchor.FunctionVersion{"default": {Version: "1"}},
	}
	return s.publish(t, d)
}

// publish records a deployment, puts a site without functions on the platform and returns the
// record with its Order.
func (s *stand) publish(t *testing.T, d anchor.Deployment) anchor.Deployment {
	t.Helper()
	must(t, s.store.CreateDeployment(t.Context(), d))
	d, err := s.store.Deployment(t.Context(), d.ID)
	must(t, err)
	_, err = s.platform.Publish(t.Context(), deploy.Artifact{Project: anchor.Project{ID: d.ProjectID}, Deployment: d}, nil)
	must(t, err)
	return d
}

// deployed makes a deployment live by its own release.
func (s *stand) deployed(t *testing.T) anchor.Deployment {
	t.Helper()
	d := s.record(t, s.project, anchor.Deploying)
	d.Status = anchor.Deployed
	_, err := s.GoLive(t.Context(), d)
	must(t, err)
	return d
}

func (s *stand) wantLive(t *testing.T, want anchor.DeploymentID) anchor.Live {
	t.Helper()
	live, err := s.store.Live(t.Context(), s.project)
	must(t, err)
	if live.Deployment != want {
		t.Errorf("live is %s, want %s", live.Deployment, want)
	}
	if routed := s.platform.Routed(s.project); routed != want {
		t.Errorf("traffic goes to %s, want %s", routed, want)
	}
	return live
}

func (s *stand) get(t *testing.T, id anchor.DeploymentID) anchor.Deployment {
	t.Helper()
	d, err := s.store.Deployment(t.Context(), id)
	must(t, err)
	return d
}

// failOnce makes the next call of a store's method fail.
func (s *stand) failOnce(ops map[string]bool) {
	s.store.Fault = func(op string) (bool, error) {
		if apply, fails := ops[op]; fails {
			delete(ops, op)
			return apply, errLost
		}
		return false, nil
	}
}

// failPlatform makes every call of a platform's method fail.
func (s *stand) failPlatform(op string, apply bool, err error) {
	s.platform.Fault = func(_ context.Context, asked string, _ anchor.DeploymentID) (bool, error) {
		if asked == op {
			return apply, err
		}
		return false, nil
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantCode(t *testing.T, err error, kind anchor.Kind, code string) {
	t.Helper()
	if err == nil || anchor.KindOf(err) != kind || anchor.CodeOf(err) != code {
		t.Errorf("error %v (%s), want %s %s", err, anchor.CodeOf(err), kind, code)
	}
	if anchor.HintOf(err) == "" {
		t.Errorf("%v does not say what to do", err)
	}
}

func name(apply bool) string { return fmt.Sprintf("applied %v", apply) }

package deploy_test

import (
	"context"
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// starter starts builds that never end.
type starter struct{}

func (starter) Build(context.Context, anchor.Project, anchor.Deployment, deploy.Source) error {
	return nil
}

func (starter) Check(deploy.Source) error { return nil }

func (starter) Cancel(context.Context, anchor.DeploymentID) error { return nil }

func (starter) AccessHint() string { return "" }

func TestService_StartBuild_OfOneKeyAtTheSameTime(t *testing.T) {
	s := newStand(t, func(s *stand) { s.builder = starter{} })
	ids := make(chan anchor.DeploymentID, 8)
	var asking sync.WaitGroup
	for range cap(ids) {
		asking.Go(func() {
			d, err := s.StartBuild(t.Context(), s.project, deploy.BuildRequest{Repository: "https://git.example/shop", Branch: "main", Key: "one"})
			if err != nil {
				t.Error(err)
			}
			ids <- d.ID
		})
	}
	asking.Wait()
	close(ids)
	first := <-ids
	for id := range ids {
		if id != first {
			t.Errorf("requests of one key started %s and %s", first, id)
		}
	}
	all, err := s.List(t.Context(), s.project, anchor.Page{})
	must(t, err)
	if len(all.Items) != 1 {
		t.Errorf("%d deployments are recorded, want 1", len(all.Items))
	}
}

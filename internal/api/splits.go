package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Splits knows what the deployments answer among which traffic is divided.
type Splits interface {
	// Observed returns what both deployments of a project's split have answered, and why its next step
	// waits although it is due, "" unless it does. The evidence is nil where there is none.
	Observed(live anchor.Live) (evidence *anchor.Evidence, waiting string)
}

func (s *server) splitRoutes() {
	const path = "/projects/{projectId}/split"
	handleRoute(s, newOperation("get-split", http.MethodGet, path, anchor.ScopeRead, "Get how traffic is divided between two deployments", 404), s.getSplit)
	handleRoute(s, newOperation("cancel-split", http.MethodDelete, path, anchor.ScopeDeploy,
		"Return all traffic to the live deployment", 404, 409), s.cancelSplit)
}

func (s *server) getSplit(ctx context.Context, in *InProject) (*body[wire.ProjectSplit], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	live, err := s.Releases.Split(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	return answerWith(*DescribeSplit(live, s.Splits)), nil
}

// DescribeSplit returns the split of a pointer, nil without one. splits may be nil.
func DescribeSplit(live anchor.Live, splits Splits) *wire.ProjectSplit {
	if live.Split == nil {
		return nil
	}
	shown := wire.ProjectSplit{Split: *live.Split, LiveDeployment: live.Deployment, LiveVersion: live.Version}
	if splits != nil {
		shown.Traffic, shown.Waiting = splits.Observed(live)
	}
	return &shown
}

func (s *server) cancelSplit(ctx context.Context, in *InProject) (*body[wire.Promoted], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	r, err := s.Releases.CancelSplit(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	return answerWith(describePromoted(p, r)), nil
}

package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// Errors knows the errors that apps logged, in groups of the same cause.
type Errors interface {
	// List returns at most limit groups, the one seen last first; those of one deployment when d is not empty.
	List(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, limit int) ([]anchor.ErrorGroup, error)
	// Get returns one group, anchor.ErrNotFound if there is none.
	Get(ctx context.Context, p anchor.ProjectID, id string) (anchor.ErrorGroup, error)
}

func (s *server) errorRoutes() {
	list := newOperation("list-errors", http.MethodGet, "/projects/{projectId}/errors", anchor.ScopeRead,
		"List the errors that the app logged, in groups of the same cause, the one seen last first", 404, 501)
	handleRoute(s, list, s.listErrors)
	get := newOperation("get-error", http.MethodGet, "/projects/{projectId}/errors/{errorId}", anchor.ScopeRead,
		"Get a group of errors", 404, 501)
	handleRoute(s, get, s.getError)
}

func (s *server) listErrors(ctx context.Context, in *struct {
	InProject
	Deployment string `query:"deployment" maxLength:"64" doc:"Only groups that this deployment logged"`
	Limit      int    `query:"limit" minimum:"1" maximum:"1000" default:"50" doc:"Number of groups"`
}) (*body[wire.Items[wire.ErrorGroup]], error) {
	p, live, err := s.projectWithErrors(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	d := anchor.DeploymentID(in.Deployment)
	if d != "" {
		if _, err := s.Deploys.Get(ctx, p.ID, d); err != nil {
			return nil, err
		}
	}
	groups, err := s.Errors.List(ctx, p.ID, d, in.Limit)
	if err != nil {
		return nil, err
	}
	items := make([]wire.ErrorGroup, len(groups))
	for i, g := range groups {
		items[i] = wire.NewErrorGroup(g, live)
	}
	return answerWith(wire.Items[wire.ErrorGroup]{Items: items}), nil
}

func (s *server) getError(ctx context.Context, in *struct {
	InProject
	ErrorID string `path:"errorId" maxLength:"64"`
}) (*body[wire.ErrorGroup], error) {
	p, live, err := s.projectWithErrors(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	g, err := s.Errors.Get(ctx, p.ID, in.ErrorID)
	if err != nil {
		return nil, err
	}
	return answerWith(wire.NewErrorGroup(g, live)), nil
}

// projectWithErrors finds a project, and its live deployment, on a server that groups errors.
func (s *server) projectWithErrors(ctx context.Context, idOrSlug string) (anchor.Project, anchor.DeploymentID, error) {
	p, err := s.Projects.Get(ctx, idOrSlug)
	if err != nil {
		return p, "", err
	}
	if s.Errors == nil {
		return p, "", newProblem(http.StatusNotImplemented, "no_errors", "on AWS, Anchor does not group errors",
			"Run anchor logs --level error, or see the functions in CloudWatch.")
	}
	live, err := s.liveOf(ctx, p.ID)
	if err != nil {
		return p, "", err
	}
	return p, live.Deployment, nil
}

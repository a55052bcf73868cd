package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func (s *server) limitRoutes() {
	const limits = "/projects/{projectId}/limits"
	handleRoute(s, newOperation("get-limits", http.MethodGet, limits, anchor.ScopeRead,
		"Get a project's limits, how they are enforced and what it takes", 404), s.getLimits)
	set := newOperation("set-limits", http.MethodPut, limits, anchor.ScopeDeploy, "Replace a project's limits", 404)
	set.Description += " What the body leaves out has no limit afterwards. Running workers are limited at once."
	handleRoute(s, set, s.setLimits)
}

func (s *server) getLimits(ctx context.Context, in *InProject) (*body[anchor.ProjectLimits], error) {
	limits, err := s.Projects.Limits(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return answerWith(limits), nil
}

func (s *server) setLimits(ctx context.Context, in *struct {
	InProject
	Body anchor.Limits
}) (*body[anchor.ProjectLimits], error) {
	before, err := s.Projects.Limits(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	limits, err := s.Projects.SetLimits(ctx, in.ProjectID, in.Body)
	if err != nil {
		return nil, err
	}
	noteChange(ctx, before.Limits, limits.Limits)
	return answerWith(limits), nil
}

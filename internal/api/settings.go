package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func (s *server) settingRoutes() {
	const settings = "/projects/{projectId}/settings"
	handleRoute(s, newOperation("get-settings", http.MethodGet, settings, anchor.ScopeRead,
		"Get a project's settings for AWS", 404), s.getSettings)
	set := newOperation("set-settings", http.MethodPut, settings, anchor.ScopeDeploy, "Replace a project's settings for AWS", 404)
	set.Description += " What the body leaves out has its default afterwards. Log retention, reserved concurrency, tags, alarms and web ACL " +
		"are applied at once, the others by the next deployment. A server that is not on AWS refuses all of them."
	handleRoute(s, set, s.setSettings)
}

func (s *server) getSettings(ctx context.Context, in *InProject) (*body[anchor.ProjectSettings], error) {
	settings, err := s.Projects.ProjectSettings(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return answerWith(settings), nil
}

func (s *server) setSettings(ctx context.Context, in *struct {
	InProject
	Body anchor.Settings
}) (*body[anchor.ProjectSettings], error) {
	settings, err := s.Projects.SetSettings(ctx, in.ProjectID, in.Body)
	if err != nil {
		return nil, err
	}
	return answerWith(settings), nil
}

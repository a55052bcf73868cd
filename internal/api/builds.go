package api

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

func (s *server) buildRoutes() {
	op := operation("start-build", http.MethodPost, "/projects/{projectId}/builds", anchor.ScopeDeploy,
		"Build a commit on AWS CodeBuild and deploy it", 404, 409, 501)
	op.DefaultStatus = http.StatusAccepted
	op.Description += " Requests with the same `Idempotency-Key` start one build and return the same deployment."
	handle(s, op, s.startBuild)
}

func (s *server) startBuild(ctx context.Context, in *struct {
	InProject
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Identifies the request, so that it can be repeated safely"`
	Body wire.StartBuild
}) (*body[wire.Deployment], error) {
	if s.Builds == nil {
		return nil, newProblem(http.StatusNotImplemented, "no_builds", "this server does not run builds; only an installation on AWS does",
			"To build on your machine and deploy the result, run anchor deploy")
	}
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	d, err := s.Builds.StartBuild(ctx, p.ID, deploy.BuildRequest{
		Repository: in.Body.Repository, CommitSha: in.Body.CommitSha, CommitMessage: in.Body.CommitMessage,
		Branch: in.Body.Branch, NoRelease: in.Body.NoRelease, Key: in.Key,
	})
	if err != nil {
		return nil, err
	}
	shown, err := s.shown(ctx, p, d)
	if err != nil {
		return nil, err
	}
	return answer(shown), nil
}

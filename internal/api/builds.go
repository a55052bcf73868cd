package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

func (s *server) buildRoutes() {
	op := newOperation("start-build", http.MethodPost, "/projects/{projectId}/builds", anchor.ScopeDeploy,
		"Build a commit on AWS CodeBuild and deploy it", 404, 409, 501)
	op.DefaultStatus = http.StatusAccepted
	op.Description += " Requests with the same `Idempotency-Key` start one build and return the same deployment."
	handleRoute(s, op, s.startBuild)
	const all, one = "/projects/{projectId}/builds", "/projects/{projectId}/builds/{deploymentId}"
	list := newOperation("list-builds", http.MethodGet, all, anchor.ScopeRead, "List builds of commits, newest first", 404)
	list.Description += " A build is the deployment that it makes. A page can have fewer items than its limit and still a next one."
	handleRoute(s, list, s.listBuilds)
	logs := newOperation("read-build-log", http.MethodGet, one+"/logs", anchor.ScopeRead, "Read what a build printed, oldest line first", 404, 501)
	logs.Description += " With `follow=true` the response is a stream of server-sent events: these lines, then new ones until the deployment has ended."
	documentStream(&logs)
	orJSON[wire.Items[anchor.LogLine]](s, &logs)
	handleRoute(s, logs, s.buildLog)
	handleRoute(s, newOperation("cancel-build", http.MethodPost, one+"/cancel", anchor.ScopeDeploy, "Cancel a build", 404, 409), s.cancelBuild)
	retry := newOperation("retry-build", http.MethodPost, one+"/retry", anchor.ScopeDeploy, "Build the commit of a build again", 404, 409, 501)
	retry.DefaultStatus = http.StatusAccepted
	handleRoute(s, retry, s.retryBuild)
}

func (s *server) listBuilds(ctx context.Context, in *struct {
	InProject
	Paged
}) (*body[anchor.List[wire.Deployment]], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	live, err := s.liveOf(ctx, p.ID)
	if err != nil {
		return nil, err
	}
	for page := in.pageOf(); ; {
		list, err := s.Deploys.List(ctx, p.ID, page)
		if err != nil {
			return nil, err
		}
		list.Items = slices.DeleteFunc(list.Items, func(d anchor.Deployment) bool { return d.Source == "" })
		if len(list.Items) > 0 || list.Next == "" {
			return answerWith(mapList(list, func(d anchor.Deployment) wire.Deployment { return s.addShown(p, d, live) })), nil
		}
		page.Cursor = list.Next
	}
}

// getBuild returns the deployment of a build.
func (s *server) getBuild(ctx context.Context, in InDeployment) (p anchor.Project, d anchor.Deployment, err error) {
	if p, err = s.Projects.Get(ctx, in.ProjectID); err != nil {
		return p, d, err
	}
	if d, err = s.Deploys.Get(ctx, p.ID, anchor.DeploymentID(in.DeploymentID)); err != nil {
		return p, d, err
	}
	if d.Source == "" {
		err = anchor.NotFound("not_a_build", "deployment %s was uploaded, not built from a commit", d.ID).
			Hintf("To list the builds, run anchor builds.")
	}
	return p, d, err
}

// buildsOf returns who knows the build of a deployment, nil when nobody does.
func (s *server) buildsOf(d anchor.Deployment) Pushed {
	switch {
	case d.Source == anchor.SourcePush && s.Pushed != nil:
		return s.Pushed
	case d.Source == anchor.SourceRepository && s.Remote != nil:
		return s.Remote
	}
	return nil
}

func (s *server) buildLog(ctx context.Context, in *struct {
	InDeployment
	Follow bool   `query:"follow"`
	After  string `header:"Last-Event-ID" maxLength:"40" doc:"With follow, where events have an id: id of the last event received"`
}) (*huma.StreamResponse, error) {
	p, d, err := s.getBuild(ctx, in.InDeployment)
	if err != nil {
		return nil, err
	}
	builds := s.buildsOf(d)
	if builds == nil {
		return nil, newProblem(http.StatusNotImplemented, "no_build_log", "the output of this build is not stored by the server",
			"Builds are shown by the server that ran them.")
	}
	if tail, ok := builds.(BuildTail); ok && in.Follow {
		return s.tailBuild(ctx, tail, d, in.After)
	}
	lines := builds.Lines(ctx, p.ID, d.ID, in.Follow)
	if in.Follow {
		return streamEvents(s, lines, func(anchor.LogLine) (string, string) { return "", "line" }), nil
	}
	return jsonItems(lines)
}

func (s *server) cancelBuild(ctx context.Context, in *InDeployment) (*body[wire.Deployment], error) {
	if _, _, err := s.getBuild(ctx, *in); err != nil {
		return nil, err
	}
	return s.cancelDeployment(ctx, in)
}

func (s *server) retryBuild(ctx context.Context, in *InDeployment) (*body[wire.Deployment], error) {
	p, d, err := s.getBuild(ctx, *in)
	if err != nil {
		return nil, err
	}
	builds := s.buildsOf(d)
	if builds == nil {
		return nil, newProblem(http.StatusNotImplemented, "no_retry", "the repository of this build is not known to the server",
			"Start a build of its commit: anchor builds start --ref COMMIT")
	}
	again, err := builds.Retry(ctx, p, d.ID)
	if err != nil {
		return nil, err
	}
	shown, err := s.showRecord(ctx, p, again)
	if err != nil {
		return nil, err
	}
	return answerWith(shown), nil
}

func (s *server) startBuild(ctx context.Context, in *struct {
	InProject
	Key  string `header:"Idempotency-Key" maxLength:"255" doc:"Identifies the request, so that it can be repeated safely"`
	Body wire.StartBuild
}) (*body[wire.Deployment], error) {
	if s.Builds == nil {
		return nil, newProblem(http.StatusNotImplemented, "no_builds", "this server does not clone repositories; only an installation on AWS does",
			"To push the commit to this server, run anchor git. To build on your machine, run anchor deploy.")
	}
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	d, err := s.Builds.StartBuild(ctx, p.ID, deploy.BuildRequest{
		Repository: in.Body.Repository, CommitSha: in.Body.CommitSha, CommitMessage: in.Body.CommitMessage,
		Branch: in.Body.Branch, NoRelease: in.Body.NoRelease, Production: in.Body.Production, Key: in.Key,
	})
	if err != nil {
		return nil, err
	}
	shown, err := s.showRecord(ctx, p, d)
	if err != nil {
		return nil, err
	}
	return answerWith(shown), nil
}

package api

import (
	"context"
	"net/http"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) envRoutes() {
	const all = "/projects/{projectId}/env"
	list := newOperation("list-env", http.MethodGet, all, anchor.ScopeRead, "List environment variables", 404)
	list.Description += " With `reveal=true` the response contains the values, and the request needs `admin`."
	handleRoute(s, list, s.listEnv)
	handleRoute(s, newOperation("set-env", http.MethodPut, all, anchor.ScopeDeploy, "Set environment variables", 404), s.setEnv)
	handleRoute(s, newOperation("remove-env", http.MethodDelete, all+"/{name}", anchor.ScopeDeploy, "Remove an environment variable", 404), s.removeEnv)
	handleRoute(s, newOperation("get-build-env", http.MethodGet, all+"/build", anchor.ScopeDeploy, "Get the variables for a build, with their values", 404), s.buildEnv)
}

func (s *server) listEnv(ctx context.Context, in *struct {
	InProject
	Reveal bool `query:"reveal" doc:"Show the values"`
}) (*body[wire.Env], error) {
	if in.Reveal {
		if err := actorOf(ctx).RequireAnywhere(anchor.ScopeAdmin); err != nil { // before the project is looked for
			return nil, err
		}
	}
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	if in.Reveal {
		if err := actorOf(ctx).RequireIn(p.ID, anchor.ScopeAdmin); err != nil {
			return nil, err
		}
	}
	vars, err := s.Env.List(ctx, p.ID, in.Reveal)
	if err != nil {
		return nil, err
	}
	out := wire.Env{Items: make([]anchor.EnvVar, 0, len(vars)), Revealed: in.Reveal}
	for _, v := range vars {
		if !in.Reveal {
			v.Value = "" // whatever the use-case gave, nothing leaves unasked
		}
		out.Items = append(out.Items, v)
	}
	return answerWith(out), nil
}

func (s *server) setEnv(ctx context.Context, in *struct {
	InProject
	Body wire.SetEnv
}) (*empty, error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	now := time.Now().UnixMilli()
	vars := make([]anchor.EnvVar, 0, len(in.Body.Variables))
	for _, v := range in.Body.Variables {
		if v.For == "" {
			v.For = anchor.EnvBoth
		}
		vars = append(vars, anchor.EnvVar{
			Name: v.Name, Value: v.Value, For: v.For, Environment: v.Environment, Branch: v.Branch, UpdatedAt: now,
		})
	}
	slots := make([]anchor.EnvSlot, 0, len(vars))
	for _, v := range vars {
		slots = append(slots, v.Slot())
	}
	noteChange(ctx, nil, slots)
	return nil, s.Env.Set(ctx, p.ID, vars)
}

func (s *server) removeEnv(ctx context.Context, in *struct {
	InProject
	Name        string             `path:"name" maxLength:"128"`
	Environment anchor.Environment `query:"environment" enum:"production,preview" doc:"That of the variable, if it has one"`
	Branch      string             `query:"branch" maxLength:"255" doc:"That of the variable, if it has one"`
}) (*empty, error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return nil, s.Env.Remove(ctx, p.ID, anchor.EnvSlot{Name: in.Name, Environment: in.Environment, Branch: in.Branch})
}

func (s *server) buildEnv(ctx context.Context, in *struct {
	InProject
	Environment anchor.Environment `query:"environment" enum:"production,preview" default:"production" doc:"What the deployment is for"`
	Branch      string             `query:"branch" maxLength:"255" doc:"Of a preview"`
}) (*body[wire.BuildEnv], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	values, err := s.Env.ForBuild(ctx, p.ID, anchor.EnvScope{Environment: in.Environment, Branch: in.Branch})
	if err != nil {
		return nil, err
	}
	return answerWith(wire.BuildEnv{Variables: values}), nil
}

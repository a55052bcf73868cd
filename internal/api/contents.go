package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *server) contentsRoutes() {
	op := newOperation("get-contents", http.MethodGet, "/projects/{projectId}/deployments/{deploymentId}/contents", anchor.ScopeRead,
		"Get what a deployment consists of: its functions and routes, with their sizes", 404)
	op.Description += " It is known by the names of files, for each deployment whose files are kept."
	handleRoute(s, op, s.getContents)
}

func (s *server) getContents(ctx context.Context, in *InDeployment) (*body[wire.Contents], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	inv, err := s.Deploys.Inventory(ctx, p.ID, anchor.DeploymentID(in.DeploymentID))
	if err != nil {
		return nil, err
	}
	out := wire.Contents{
		Functions: make([]wire.FunctionContents, len(inv.Functions)), Routes: make([]wire.RouteContents, len(inv.Routes)),
		Bytes: inv.All.Bytes, StaticFiles: inv.Static.Files, StaticBytes: inv.Static.Bytes,
	}
	for i, f := range inv.Functions {
		out.Functions[i] = wire.FunctionContents{Name: f.Name, Runtime: "nodejs", Files: f.Files, Bytes: f.Bytes}
		if f.Edge {
			out.Functions[i].Runtime = "edge"
		}
	}
	for i, r := range inv.Routes {
		out.Routes[i] = wire.RouteContents{
			Path: r.Path, Kind: r.Kind, Function: r.Function, Runtime: "nodejs", Bytes: r.Bytes,
			PrerenderedPages: r.Prerendered.Files, PrerenderedBytes: r.Prerendered.Bytes,
		}
		if r.Prerendered.Files > 0 && !strings.Contains(r.Path, "[") {
			out.Routes[i].Runtime = "static"
		}
	}
	return answerWith(out), nil
}

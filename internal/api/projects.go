package api

import (
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// InProject (exported, as huma reads embedded inputs only then) is the part of an input that names the project.
type InProject struct {
	ProjectID string `path:"projectId" doc:"The project's id or slug" maxLength:"64"`
}

// Paged is the part of an input that asks for a page.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Items per page"`
	Cursor string `query:"cursor" maxLength:"256" doc:"Value of next on the previous page"`
}

func (p Paged) pageOf() anchor.Page { return anchor.Page{Limit: p.Limit, Cursor: p.Cursor} }

func (s *server) projectRoutes() {
	create := newOperation("create-project", http.MethodPost, "/projects", anchor.ScopeDeploy, "Create a project", 409)
	create.DefaultStatus = http.StatusCreated
	handleRoute(s, create, s.createProject)
	list := newOperation("list-projects", http.MethodGet, "/projects", anchor.ScopeRead, "List projects, newest first")
	list.Metadata[anywhereKey] = true
	handleRoute(s, list, s.listProjects)
	handleRoute(s, newOperation("get-project", http.MethodGet, "/projects/{projectId}", anchor.ScopeRead, "Get a project", 404), s.getProject)
	remove := newOperation("delete-project", http.MethodDelete, "/projects/{projectId}", anchor.ScopeAdmin,
		"Delete a project, its deployments and its files", 404)
	remove.Description += " 204 means that the project is deleted. 202 means that its removal has started and continues: " +
		"it accepts no changes and is listed with `removing` until everything is deleted, on `aws` some minutes later."
	remove.DefaultStatus = http.StatusAccepted
	remove.Responses = map[string]*huma.Response{"202": {Description: "Accepted: the removal has started"}, "204": {Description: "No Content: the project is deleted"}}
	handleRoute(s, remove, s.deleteProject)
}

func (s *server) createProject(ctx context.Context, in *struct{ Body wire.CreateProject }) (*body[wire.Project], error) {
	branch := in.Body.ProductionBranch
	if branch == "" {
		branch = "main"
	}
	p, err := s.Projects.Create(ctx, in.Body.Slug, branch)
	if err != nil {
		return nil, err
	}
	noteProject(ctx, p)
	return answerWith(s.shownProject(p)), nil
}

func (s *server) listProjects(ctx context.Context, in *struct{ Paged }) (*body[anchor.List[wire.Project]], error) {
	list, err := s.Projects.List(ctx, in.pageOf())
	if err != nil {
		return nil, err
	}
	actor := actorOf(ctx)
	list.Items = slices.DeleteFunc(list.Items, func(p anchor.Project) bool { return !actor.Sees(p.ID) })
	return answerWith(mapList(list, s.shownProject)), nil
}

func (s *server) getProject(ctx context.Context, in *InProject) (*body[wire.Project], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return answerWith(s.shownProject(p)), nil
}

// removal is what is left of a project that was deleted: nothing, or what is being removed.
type removal struct {
	Status int
	Body   *wire.Project
}

func (s *server) deleteProject(ctx context.Context, in *InProject) (*removal, error) {
	if err := s.Projects.Remove(ctx, in.ProjectID); err != nil {
		return nil, err
	}
	// Another of the same slug may have come.
	if p, err := s.Projects.Get(ctx, in.ProjectID); err == nil && p.Removing {
		shown := s.shownProject(p)
		return &removal{Status: http.StatusAccepted, Body: &shown}, nil
	}
	return &removal{Status: http.StatusNoContent}, nil
}

func (s *server) shownProject(p anchor.Project) wire.Project {
	site, _ := s.Sites.URLs(p, "")
	return wire.Project{Project: p, URL: site}
}

// mapList converts the items of a page; they are never null in JSON.
func mapList[A, B any](list anchor.List[A], f func(A) B) anchor.List[B] {
	out := anchor.List[B]{Items: make([]B, 0, len(list.Items)), Next: list.Next}
	for _, item := range list.Items {
		out.Items = append(out.Items, f(item))
	}
	return out
}

func same[T any](v T) T { return v }

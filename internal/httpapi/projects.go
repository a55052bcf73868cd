package httpapi

import (
	"context"
	"net/http"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/httpapi/wire"
)

// InProject (exported, as huma reads embedded inputs only then) is the part of an input that names the project.
type InProject struct {
	ProjectID string `path:"projectId" doc:"The project's id or slug" maxLength:"64"`
}

// Paged is the part of an input that asks for a page.
type Paged struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"100" default:"20" doc:"Rows a page"`
	Cursor string `query:"cursor" maxLength:"256" doc:"The next of the page before"`
}

func (p Paged) page() anchor.Page { return anchor.Page{Limit: p.Limit, Cursor: p.Cursor} }

func (s *server) projectRoutes() {
	create := operation("create-project", http.MethodPost, "/projects", anchor.ScopeDeploy, "Create a project", 409)
	create.DefaultStatus = http.StatusCreated
	handle(s, create, s.createProject)
	handle(s, operation("list-projects", http.MethodGet, "/projects", anchor.ScopeRead, "List projects, newest first"), s.listProjects)
	handle(s, operation("get-project", http.MethodGet, "/projects/{projectId}", anchor.ScopeRead, "Get a project", 404), s.getProject)
	handle(s, operation("delete-project", http.MethodDelete, "/projects/{projectId}", anchor.ScopeAdmin,
		"Delete a project, its deployments and its files", 404), s.deleteProject)
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
	return answer(s.shownProject(p)), nil
}

func (s *server) listProjects(ctx context.Context, in *struct{ Paged }) (*body[anchor.List[wire.Project]], error) {
	list, err := s.Projects.List(ctx, in.page())
	if err != nil {
		return nil, err
	}
	return answer(mapList(list, s.shownProject)), nil
}

func (s *server) getProject(ctx context.Context, in *InProject) (*body[wire.Project], error) {
	p, err := s.Projects.Get(ctx, in.ProjectID)
	if err != nil {
		return nil, err
	}
	return answer(s.shownProject(p)), nil
}

func (s *server) deleteProject(ctx context.Context, in *InProject) (*empty, error) {
	return nil, s.Projects.Delete(ctx, in.ProjectID)
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

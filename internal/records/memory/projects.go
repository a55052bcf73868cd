package memory

import (
	"context"
	"maps"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// CreateProject inserts p: a Conflict when its slug or id is taken.
func (s *Store) CreateProject(ctx context.Context, p anchor.Project) error {
	return changeWithFault(ctx, s, "CreateProject", func() error {
		if _, found := s.findBySlug(p.Slug); found {
			return records.SlugTaken(p.Slug)
		}
		if _, found := s.projects[p.ID]; found {
			return records.IDTaken("project", string(p.ID))
		}
		s.projects[p.ID] = p
		return nil
	})
}

func (s *Store) findBySlug(slug string) (anchor.Project, bool) {
	for _, p := range s.projects {
		if p.Slug == slug {
			return p, true
		}
	}
	return anchor.Project{}, false
}

// Project returns one project or NotFound.
func (s *Store) Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error) {
	return callWithFault(ctx, s, "Project", func() (anchor.Project, error) {
		p, found := s.projects[id]
		if !found {
			return p, records.NoProject(string(id))
		}
		return p, nil
	})
}

// ProjectBySlug returns one project or NotFound.
func (s *Store) ProjectBySlug(ctx context.Context, slug string) (anchor.Project, error) {
	return callWithFault(ctx, s, "ProjectBySlug", func() (anchor.Project, error) {
		p, found := s.findBySlug(slug)
		if !found {
			return p, records.NoProject(slug)
		}
		return p, nil
	})
}

// Projects lists all, newest first.
func (s *Store) Projects(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error) {
	return callWithFault(ctx, s, "Projects", func() (anchor.List[anchor.Project], error) {
		before, err := records.BeforeID(page)
		found := newestFirst(s.projects, func(id anchor.ProjectID, _ anchor.Project) bool { return string(id) < before })
		return records.Cut(found, page, records.ProjectCursor), err
	})
}

// SetLimits replaces the project's limits, or is NotFound.
func (s *Store) SetLimits(ctx context.Context, id anchor.ProjectID, l anchor.Limits) error {
	return s.changeProject(ctx, "SetLimits", id, func(p *anchor.Project) { p.Limits = l })
}

// SetPreviewRetention replaces the project's retention of previews, or is NotFound.
func (s *Store) SetPreviewRetention(ctx context.Context, id anchor.ProjectID, r anchor.PreviewRetention) error {
	return s.changeProject(ctx, "SetPreviewRetention", id, func(p *anchor.Project) { p.Previews = r })
}

func (s *Store) changeProject(ctx context.Context, op string, id anchor.ProjectID, change func(*anchor.Project)) error {
	return changeWithFault(ctx, s, op, func() error {
		if err := s.checkOwner(id); err != nil {
			return err
		}
		p := s.projects[id]
		change(&p)
		s.projects[id] = p
		return nil
	})
}

// RetireProject marks the project as being removed: it accepts nothing new, and has no live
// pointer and no variables. Idempotent; NotFound when it does not exist.
func (s *Store) RetireProject(ctx context.Context, id anchor.ProjectID) error {
	return changeWithFault(ctx, s, "RetireProject", func() error {
		p, found := s.projects[id]
		if !found {
			return records.NoProject(string(id))
		}
		p.Removing = true
		s.projects[id] = p
		delete(s.env, id)
		return nil
	})
}

// checkOwner returns NotFound for a project that does not exist or is being removed.
func (s *Store) checkOwner(id anchor.ProjectID) error {
	switch p, found := s.projects[id]; {
	case !found:
		return records.NoProject(string(id))
	case p.Removing:
		return records.Removing(id)
	}
	return nil
}

// DeleteProject removes the project and everything that belongs to it, or returns NotFound.
func (s *Store) DeleteProject(ctx context.Context, id anchor.ProjectID) error {
	return changeWithFault(ctx, s, "DeleteProject", func() error {
		if _, found := s.projects[id]; !found {
			return records.NoProject(string(id))
		}
		maps.DeleteFunc(s.deployments, func(d anchor.DeploymentID, deployment anchor.Deployment) bool {
			if deployment.ProjectID != id {
				return false
			}
			s.removed[d] = true
			delete(s.numbers, d)
			delete(s.events, d)
			delete(s.locked, d)
			return true
		})
		maps.DeleteFunc(s.hostnames, func(_ anchor.HostnameID, h anchor.Hostname) bool { return h.ProjectID == id })
		delete(s.projects, id)
		delete(s.lastNumber, id)
		delete(s.lastOrder, id)
		delete(s.releases, id)
		delete(s.env, id)
		return nil
	})
}

// Removed reports whether the deployment was deleted with its project.
func (s *Store) Removed(ctx context.Context, id anchor.DeploymentID) (bool, error) {
	return callWithFault(ctx, s, "Removed", func() (bool, error) { return s.removed[id], nil })
}

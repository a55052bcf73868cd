package project

import (
	"context"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// admitProject records p unless there are too many projects. A slug that is taken is a Conflict
// "slug_taken" even then.
func (s *Service) admitProject(ctx context.Context, p anchor.Project) error {
	if s.MaxProjects == 0 {
		return s.Records.CreateProject(ctx, p)
	}
	s.admission.Lock()
	defer s.admission.Unlock()
	if _, err := s.Records.ProjectBySlug(ctx, p.Slug); err == nil {
		return s.Records.CreateProject(ctx, p)
	}
	count, err := countProjects(ctx, s.Records, s.MaxProjects)
	if err != nil {
		return err
	}
	if count >= s.MaxProjects {
		return anchor.Conflict("too_many_projects", "this server has reached its limit of projects: %d", s.MaxProjects).
			Hintf("Remove one with anchor projects rm SLUG, or start the server with a higher limit: anchor up --max-projects %d", 2*s.MaxProjects)
	}
	return s.Records.CreateProject(ctx, p)
}

// countProjects counts to enough and no further.
func countProjects(ctx context.Context, records Records, enough int) (count int, err error) {
	for page := (anchor.Page{Limit: 100}); count < enough; {
		list, err := records.Projects(ctx, page)
		if err != nil {
			return 0, fmt.Errorf("count the projects: %w", err)
		}
		count += len(list.Items)
		if page.Cursor = list.Next; page.Cursor == "" {
			break
		}
	}
	return count, nil
}

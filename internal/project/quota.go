package project

import (
	"context"
	"fmt"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Quota bounds how many projects there may be.
type Quota struct {
	Projects int

	mu sync.Mutex // from the count to the record
}

// create records p unless there are too many projects. The slug of one that is there is a
// Conflict as ever.
func (q *Quota) create(ctx context.Context, records Records, p anchor.Project) error {
	if q == nil {
		return records.CreateProject(ctx, p)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, err := records.ProjectBySlug(ctx, p.Slug); err == nil {
		return records.CreateProject(ctx, p)
	}
	count, err := countProjects(ctx, records, q.Projects)
	if err != nil {
		return err
	}
	if count >= q.Projects {
		return anchor.Conflict("too_many_projects", "this server has as many projects as it may have: %d; the limit is %d", count, q.Projects).
			Hintf("Remove one with anchor projects rm SLUG, or start the server with a higher limit: anchor up --max-projects %d", 2*q.Projects)
	}
	return records.CreateProject(ctx, p)
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

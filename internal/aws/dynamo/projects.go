package dynamo

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// removingAttr marks the project, and the copy under its slug, once it is being removed.
const removingAttr = "deleting"

func readProject(it item) (anchor.Project, error) {
	p, err := decodeRecord[anchor.Project](it)
	_, p.Removing = it[removingAttr]
	return p, err
}

// CreateProject inserts p, durable on return: a Conflict when its slug or id exists.
func (s *Store) CreateProject(ctx context.Context, p anchor.Project) error {
	rec, err := encodeRecord(p)
	if err != nil {
		return err
	}
	return s.writeTransaction(ctx, "create the project",
		change{at: s.t.slugKey(p.Slug), put: item{recordAttr: rec}, when: notThere, refused: refuseWith(records.SlugTaken(p.Slug))},
		change{at: s.t.projectKey(p.ID), put: item{recordAttr: rec}, when: notThere, refused: refuseWith(records.IDTaken("project", string(p.ID)))},
		change{at: s.t.envKey(p.ID), put: item{}},
	)
}

// SetLimits replaces the project's limits, durable on return; NotFound when it does not exist.
func (s *Store) SetLimits(ctx context.Context, id anchor.ProjectID, l anchor.Limits) error {
	return s.changeProject(ctx, "set the project's limits", id, func(p *anchor.Project) { p.Limits = l })
}

// SetPreviewRetention replaces the project's retention of previews, durable on return; NotFound when it
// does not exist.
func (s *Store) SetPreviewRetention(ctx context.Context, id anchor.ProjectID, r anchor.PreviewRetention) error {
	return s.changeProject(ctx, "set the retention of previews", id, func(p *anchor.Project) { p.Previews = r })
}

// changeProject changes what may change in the record of a project, of which there are two copies. The
// last of several changes at a time wins, and another one may be lost.
func (s *Store) changeProject(ctx context.Context, what string, id anchor.ProjectID, edit func(*anchor.Project)) error {
	p, err := s.Project(ctx, id)
	if err != nil {
		return err
	}
	if p.Removing {
		return records.Removing(id)
	}
	edit(&p)
	rec, err := encodeRecord(p)
	if err != nil {
		return err
	}
	owned := s.ownerCondition(id)
	owned.set = item{recordAttr: rec}
	return s.writeTransaction(ctx, what, owned,
		change{at: s.t.slugKey(p.Slug), set: item{recordAttr: rec}, when: isThere, refused: refuseWith(records.NoProject(string(id)))})
}

// ownerCondition returns the condition that the project exists and is not being removed: nothing can
// be added to one that is.
func (s *Store) ownerCondition(p anchor.ProjectID) change {
	return change{
		at: s.t.projectKey(p), when: isThere + " AND attribute_not_exists(#deleting)",
		refused: func(stored item) error {
			if stored != nil {
				return records.Removing(p)
			}
			return records.NoProject(string(p))
		},
	}
}

// checkOwner returns NotFound for a project that does not exist or is being removed.
func (s *Store) checkOwner(ctx context.Context, id anchor.ProjectID) error {
	p, err := s.Project(ctx, id)
	if err == nil && p.Removing {
		return records.Removing(id)
	}
	return err
}

// Project returns one project or NotFound.
func (s *Store) Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error) {
	return s.getProject(ctx, s.t.projectKey(id), string(id))
}

// ProjectBySlug returns one project or NotFound.
func (s *Store) ProjectBySlug(ctx context.Context, slug string) (anchor.Project, error) {
	return s.getProject(ctx, s.t.slugKey(slug), slug)
}

func (s *Store) getProject(ctx context.Context, at address, idOrSlug string) (anchor.Project, error) {
	it, err := s.getItem(ctx, "read the project", at)
	switch {
	case err != nil:
		return anchor.Project{}, err
	case it == nil:
		return anchor.Project{}, records.NoProject(idOrSlug)
	}
	return readProject(it)
}

// Projects lists all projects, newest first; Invalid for a malformed cursor.
func (s *Store) Projects(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error) {
	items, err := s.queryPage(ctx, "list the projects", s.t.Projects, allProjects, "PROJECT#", page)
	if err != nil {
		return anchor.List[anchor.Project]{}, err
	}
	rows, err := decodeRecords(items, readProject)
	return records.Cut(rows, page, records.ProjectCursor), err
}

// queryPage reads one item beyond the page of a list sorted by id.
func (s *Store) queryPage(ctx context.Context, what, table, partition, prefix string, page anchor.Page) ([]item, error) {
	id, err := records.BeforeID(page)
	if err != nil {
		return nil, err
	}
	q := newestBefore(table, partition, prefix, id)
	q.limit = page.Size() + 2 // the item of the cursor itself may be among them
	items, err := s.queryAll(ctx, what, q)
	if len(items) > 0 && strOf(items[0], sk) == q.to {
		items = items[1:]
	}
	return items[:min(len(items), page.Size()+1)], err
}

package dynamo

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/store"
)

func readProject(it item) (anchor.Project, error) { return recordOf[anchor.Project](it) }

// CreateProject inserts p, durable on return: a Conflict when its slug or id is
// taken.
func (s *Store) CreateProject(ctx context.Context, p anchor.Project) error {
	rec, err := record(p)
	if err != nil {
		return err
	}
	return s.transact(ctx, "create the project",
		change{at: s.t.slug(p.Slug), put: item{recordAttr: rec}, when: notThere, refused: always(store.SlugTaken(p.Slug))},
		change{at: s.t.project(p.ID), put: item{recordAttr: rec}, when: notThere, refused: always(store.IDTaken("project", string(p.ID)))},
		change{at: s.t.env(p.ID), put: item{}},
	)
}

// ownedBy checks that the project is there and stays: one that is being deleted
// takes nothing new.
func (s *Store) ownedBy(p anchor.ProjectID) change {
	return change{
		at: s.t.project(p), when: isThere + " AND attribute_not_exists(#deleting)",
		refused: always(store.NoProject(string(p))),
	}
}

// Project gives one project or NotFound.
func (s *Store) Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error) {
	return s.oneProject(ctx, s.t.project(id), string(id))
}

// ProjectBySlug gives one project or NotFound.
func (s *Store) ProjectBySlug(ctx context.Context, slug string) (anchor.Project, error) {
	return s.oneProject(ctx, s.t.slug(slug), slug)
}

func (s *Store) oneProject(ctx context.Context, at address, idOrSlug string) (anchor.Project, error) {
	it, err := s.get(ctx, "read the project", at)
	switch {
	case err != nil:
		return anchor.Project{}, err
	case it == nil:
		return anchor.Project{}, store.NoProject(idOrSlug)
	}
	return readProject(it)
}

// Projects lists all, newest first; Invalid for a cursor that is none.
func (s *Store) Projects(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error) {
	items, err := s.page(ctx, "list the projects", s.t.Projects, allProjects, "PROJECT#", page)
	if err != nil {
		return anchor.List[anchor.Project]{}, err
	}
	rows, err := recordsOf(items, readProject)
	return store.Cut(rows, page, store.ProjectCursor), err
}

// page reads one item beyond the page of a list sorted by id.
func (s *Store) page(ctx context.Context, what, table, partition, prefix string, page anchor.Page) ([]item, error) {
	id, err := store.BeforeID(page)
	if err != nil {
		return nil, err
	}
	q := before(table, partition, prefix, id)
	q.limit = page.Size() + 2 // the one of the cursor itself may be among them
	items, err := s.query(ctx, what, q)
	if len(items) > 0 && strOf(items[0], sk) == q.to {
		items = items[1:]
	}
	return items[:min(len(items), page.Size()+1)], err
}

// DeleteProject removes the project and all that hangs on it, durable on return;
// NotFound when it is not there. It takes many calls: first the project is marked,
// from when on nothing new can hang on it, last it goes itself. One that ended in
// between is finished by the next.
func (s *Store) DeleteProject(ctx context.Context, id anchor.ProjectID) error {
	const what = "delete the project"
	p, err := s.Project(ctx, id)
	if err != nil {
		return err
	}
	err = s.transact(ctx, what,
		change{at: s.t.project(id), set: item{"deleting": &types.AttributeValueMemberBOOL{Value: true}},
			when: isThere, refused: always(store.NoProject(string(id)))},
		change{at: s.t.live(id), delete: true},
		change{at: s.t.env(id), delete: true},
	)
	for _, step := range []func(context.Context, string, anchor.ProjectID) error{
		s.deleteDeployments, s.deleteHostnames, s.deleteReleases, s.deleteLease,
	} {
		if err == nil {
			err = step(ctx, what, id)
		}
	}
	if err != nil {
		return err
	}
	return s.deleteLast(ctx, what, p)
}

// deleteDeployments deletes the project's deployments. Each one's record and
// journal go before what hangs on them, so that nothing new comes, and its entry in
// the list, by which the next try finds it, goes last.
func (s *Store) deleteDeployments(ctx context.Context, what string, p anchor.ProjectID) error {
	for {
		q := under(s.t.Deployments, ofProject(p), listedPrefix)
		q.limit = maxBatchGet
		listed, err := s.query(ctx, what, q)
		if err != nil || len(listed) == 0 {
			return err
		}
		if err := s.deleteSome(ctx, what, p, listed); err != nil {
			return err
		}
	}
}

func (s *Store) deleteSome(ctx context.Context, what string, p anchor.ProjectID, listed []item) error {
	var records, children, entries []types.WriteRequest
	for _, entry := range listed {
		d := anchor.DeploymentID(suffix(entry))
		for _, a := range []address{s.t.record(d), s.t.journal(d), s.t.unfinished(d), s.t.kept(p, d)} {
			records = append(records, deletion(a.key()))
		}
		entries = append(entries, deletion(keyOf(entry)))
	}
	if err := s.batch(ctx, what, s.t.Deployments, records); err != nil {
		return err
	}
	for _, entry := range listed {
		items, err := s.query(ctx, what, whole(s.t.Deployments, ofDeployment(anchor.DeploymentID(suffix(entry)))))
		if err != nil {
			return err
		}
		for _, it := range items {
			children = append(children, deletion(keyOf(it)))
		}
	}
	if err := s.batch(ctx, what, s.t.Deployments, children); err != nil {
		return err
	}
	return s.batch(ctx, what, s.t.Deployments, entries)
}

// deleteReleases deletes the releases, the ids they took before them, and what is
// left of the environment.
func (s *Store) deleteReleases(ctx context.Context, what string, p anchor.ProjectID) error {
	items, err := s.query(ctx, what, whole(s.t.Projects, ofProject(p)))
	if err != nil {
		return err
	}
	var ids, rest []types.WriteRequest
	for _, it := range items {
		if id := strOf(it, idAttr); id != "" {
			ids = append(ids, deletion(s.t.releaseID(anchor.ReleaseID(id)).key()))
		}
		rest = append(rest, deletion(keyOf(it)))
	}
	if err := s.batch(ctx, what, s.t.Projects, ids); err != nil {
		return err
	}
	return s.batch(ctx, what, s.t.Projects, rest)
}

// deleteLast deletes the project itself. Its slug may be another project's by now,
// when somebody else finished the same deletion.
func (s *Store) deleteLast(ctx context.Context, what string, p anchor.Project) error {
	taken := false
	err := s.transact(ctx, what,
		change{at: s.t.project(p.ID), delete: true},
		change{at: s.t.slug(p.Slug), delete: true,
			when: notThere + " OR #record.#projectId = :p", values: item{":p": str(p.ID)},
			refused: func(item) error { taken = true; return store.SlugTaken(p.Slug) }},
	)
	if taken {
		return nil
	}
	return err
}

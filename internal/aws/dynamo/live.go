package dynamo

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// releaseItem returns the item of a release, including the fields that its JSON hides from the
// API.
func releaseItem(r anchor.Release) (item, error) {
	rec, err := encodeRecord(r)
	return item{recordAttr: rec, orderAttr: numberValue(r.Order), revisionAttr: numberValue(r.Revision), idAttr: stringValue(r.ID)}, err
}

func readRelease(it item) (anchor.Release, error) {
	r, err := decodeRecord[anchor.Release](it)
	r.Order = numOf(it, orderAttr)
	return r, err
}

func readLive(it item) (anchor.Live, error) {
	r, err := readRelease(it)
	return records.LiveAfter(r), err
}

// Live returns the project's pointer, or NotFound before the first release.
func (s *Store) Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error) {
	it, err := s.getItem(ctx, "read the live pointer", s.t.liveKey(p))
	switch {
	case err != nil:
		return anchor.Live{}, err
	case it == nil:
		return anchor.Live{}, records.NeverLive(p)
	}
	return readLive(it)
}

// Lives returns the pointers of all projects that have one, in no particular order.
func (s *Store) Lives(ctx context.Context) ([]anchor.Live, error) {
	items, err := s.queryAll(ctx, "read the live pointers", withPrefix(s.t.Projects, allLives, "LIVE#"))
	if err != nil {
		return nil, err
	}
	return decodeRecords(items, readLive)
}

// Accept returns the project's next place in the order of requests, durable on return; NotFound
// when the project is unknown.
func (s *Store) Accept(ctx context.Context, p anchor.ProjectID) (int64, error) {
	return s.nextOrder(ctx, "accept the request", p)
}

// Move changes the project's pointer to to, if its revision still is from's (0 before the first
// release). It appends to, with its new revision, to the releases. When record is not nil it also
// writes record: it inserts a rollback's, or moves a deploy's from deploying to its new status.
// All of this is one transaction and one call, durable on return. A release without an Order
// needs another call first.
//
// The error is a Conflict when the pointer has moved, the release's id exists, or the record
// cannot be written. It is NotFound when the project is unknown, or the deployment is not one of
// the project's.
func (s *Store) Move(ctx context.Context, from anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error) {
	to.Revision = from.Revision + 1
	if record != nil && !record.IsRollback {
		to.Order = record.Order
	} else if to.Order == 0 {
		order, err := s.Accept(ctx, to.ProjectID)
		if err != nil {
			return anchor.Live{}, err
		}
		to.Order = order
	}
	release, err := releaseItem(to)
	if err != nil {
		return anchor.Live{}, err
	}
	written, err := s.moveRecord(to, record)
	if err != nil {
		return anchor.Live{}, err
	}
	p := to.ProjectID
	changes := []change{s.ownerCondition(p), s.movePointer(from, p, release)}
	changes = append(changes, written...)
	changes = append(changes,
		change{at: s.t.releaseID(to.ID), put: item{}, when: notThere, refused: refuseWith(records.IDTaken("release", string(to.ID)))},
		change{at: s.t.releaseKey(p, to.Revision), put: release},
	)
	if err := s.writeTransaction(ctx, "move the live pointer", changes...); err != nil {
		return anchor.Live{}, err
	}
	return records.LiveAfter(to), nil
}

// movePointer replaces the pointer with the release, if it is still what from says.
func (s *Store) movePointer(from anchor.Live, p anchor.ProjectID, release item) change {
	c := change{
		at: s.t.liveKey(p), put: release, when: "#revision = :from", values: item{":from": numberValue(from.Revision)},
		refused: func(stored item) error { return records.PointerMoved(p, numOf(stored, revisionAttr), from.Revision) },
	}
	if from.Revision == 0 {
		c.when, c.values = notThere, nil
	}
	return c
}

// moveRecord checks that the deployment to go live belongs to the project, and writes the record
// of the release. A transaction may contain an item only once: when both are the same deployment,
// writing it is the check.
func (s *Store) moveRecord(to anchor.Release, record *anchor.Deployment) ([]change, error) {
	p := to.ProjectID
	missing := func(item) error { return records.NoDeployment(to.Deployment) }
	check := change{
		at: s.t.recordKey(to.Deployment), when: "#record.#projectId = :p", values: item{":p": stringValue(p)}, refused: missing,
	}
	if record == nil {
		return []change{check}, nil
	}
	same := record.ID == to.Deployment
	switch {
	case record.ProjectID != p:
		return nil, records.ForeignRecord(record.ID, p)
	case record.IsRollback && same:
		return nil, records.IDTaken("deployment", string(record.ID))
	case record.IsRollback:
		inserted := *record
		inserted.Order = to.Order
		insert, err := s.insertDeployment(inserted)
		return append([]change{check}, insert...), err
	case !anchor.Deploying.CanMove(record.Status):
		return nil, records.NoSuchMove(record.ID, anchor.Deploying, record.Status)
	case same:
		return s.moveStatus(*record, anchor.Deploying, missing)
	}
	moved, err := s.moveStatus(*record, anchor.Deploying, refuseWith(records.ForeignRecord(record.ID, p)))
	return append([]change{check}, moved...), err
}

// Releases lists the project's moves, newest first; Invalid for a malformed cursor. An unknown
// project has none.
func (s *Store) Releases(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error) {
	revision, err := records.BeforeRevision(page)
	if err != nil {
		return anchor.List[anchor.Release]{}, err
	}
	q := newestBefore(s.t.Projects, ofProject(p), releasePrefix, sortableNumber(revision-1))
	q.limit = page.Size() + 1
	items, err := s.queryAll(ctx, "list the releases", q)
	if err != nil {
		return anchor.List[anchor.Release]{}, err
	}
	rows, err := decodeRecords(items, readRelease)
	return records.Cut(rows, page, records.ReleaseCursor), err
}

// LastLive returns the deployment that was live before the present one, however often that one
// was released; NotFound when there was none. A release that was undone counts as if it had not
// happened.
func (s *Store) LastLive(ctx context.Context, p anchor.ProjectID) (anchor.DeploymentID, error) {
	var failed error
	id := records.LastLive(func(yield func(anchor.Release) bool) {
		for page := (anchor.Page{Limit: anchor.DefaultPage}); ; {
			list, err := s.Releases(ctx, p, page)
			if err != nil {
				failed = err
				return
			}
			for _, r := range list.Items {
				if !yield(r) {
					return
				}
			}
			if list.Next == "" {
				return
			}
			page.Cursor = list.Next
		}
	})
	switch {
	case failed != nil:
		return "", failed
	case id == "":
		return "", records.NeverLive(p)
	}
	return id, nil
}

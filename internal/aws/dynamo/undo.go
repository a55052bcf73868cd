package dynamo

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// Undo moves the pointer back from failed, the release that traffic did not follow, to to. It
// appends to to the releases with the next revision and under its own Order. When record is not
// nil, it moves the stored record from deployed to deploy_failed. All of this is one transaction
// and one call, durable on return.
//
// The error is a Conflict when the pointer has moved, or the record cannot be written so. It is
// NotFound when the project is unknown, or the deployment is not one of the project's.
func (s *Store) Undo(ctx context.Context, failed anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error) {
	if err := records.CheckUndo(failed, to, record); err != nil {
		return anchor.Live{}, err
	}
	p := to.ProjectID
	to.Revision = failed.Revision + 1
	release, err := releaseItem(to)
	if err != nil {
		return anchor.Live{}, err
	}
	changes := []change{s.ownerCondition(p), s.movePointer(failed, p, release), {
		at: s.t.recordKey(to.Deployment), when: "#record.#projectId = :p", values: item{":p": stringValue(p)},
		refused: refuseWith(records.NoDeployment(to.Deployment)),
	}}
	if record != nil {
		written, err := s.moveStatus(*record, anchor.Deployed, refuseWith(records.ForeignRecord(record.ID, p)))
		if err != nil {
			return anchor.Live{}, err
		}
		changes = append(changes, written...)
	}
	changes = append(changes,
		change{at: s.t.releaseID(to.ID), put: item{}, when: notThere, refused: refuseWith(records.IDTaken("release", string(to.ID)))},
		change{at: s.t.releaseKey(p, to.Revision), put: release},
	)
	if err := s.writeTransaction(ctx, "move the live pointer back", changes...); err != nil {
		return anchor.Live{}, err
	}
	return records.LiveAfter(to), nil
}

// SetDivided notes on the pointer, if it still is at live's revision, and on its release since
// when traffic has not followed it, or 0 for that it follows. Durable on return. The error is a
// Conflict when the pointer has moved.
func (s *Store) SetDivided(ctx context.Context, live anchor.Live, since int64) error {
	const what = "note whether traffic follows the live pointer"
	p := live.ProjectID
	it, err := s.getItem(ctx, what, s.t.liveKey(p))
	if err != nil {
		return err
	}
	stored := numOf(it, revisionAttr)
	if stored == 0 || stored != live.Revision {
		return records.PointerMoved(p, stored, live.Revision)
	}
	r, err := readRelease(it)
	if err != nil {
		return err
	}
	r.DividedSince = since
	release, err := releaseItem(r)
	if err != nil {
		return err
	}
	return s.writeTransaction(ctx, what, s.movePointer(live, p, release), change{at: s.t.releaseKey(p, r.Revision), put: release})
}

package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// Undo moves the pointer back from failed, the release that traffic did not follow, to to. It
// appends to to the releases with the next revision and under its own Order. When record is not
// nil, it moves the stored record from deployed to deploy_failed. All in one transaction, durable
// on return.
//
// It returns a Conflict when the pointer has moved, or the record cannot be written so, and
// NotFound when the project is unknown or does not own the deployment.
func (s *Store) Undo(ctx context.Context, failed anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error) {
	if err := records.CheckUndo(failed, to, record); err != nil {
		return anchor.Live{}, err
	}
	to.Revision = failed.Revision + 1
	err := s.writeTx(ctx, "move the live pointer back", func(t tx) error {
		if err := checkMove(t, failed, to); err != nil {
			return err
		}
		if record != nil {
			if err := failDeployed(t, *record); err != nil {
				return err
			}
		}
		return insertRelease(t, to)
	})
	if err != nil {
		return anchor.Live{}, err
	}
	return records.LiveAfter(to), nil
}

// failDeployed writes the record of a deployment whose release is undone.
func failDeployed(t tx, d anchor.Deployment) error {
	var stored anchor.Status
	err := t.queryRow(`SELECT status FROM deployments WHERE id = ? AND project_id = ?`, d.ID, d.ProjectID).Scan(&stored)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return records.ForeignRecord(d.ID, d.ProjectID)
	case err != nil:
		return err
	case stored != anchor.Deployed:
		return records.StatusChanged(d.ID, stored, anchor.Deployed)
	}
	record, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = t.execRows(`UPDATE deployments SET record = ? WHERE id = ?`, string(record), d.ID)
	return err
}

// SetDivided notes on the project's newest release, if that is live's, since when traffic has not
// followed it, or 0 for that it follows. Durable on return. It returns a Conflict when the pointer
// has moved.
func (s *Store) SetDivided(ctx context.Context, live anchor.Live, since int64) error {
	return s.writeTx(ctx, "note whether traffic follows the live pointer", func(t tx) error {
		var revision int64
		if err := t.queryRow(`SELECT coalesce(max(revision), 0) FROM releases WHERE project_id = ?`, live.ProjectID).Scan(&revision); err != nil {
			return err
		}
		if revision == 0 || revision != live.Revision {
			return records.PointerMoved(live.ProjectID, revision, live.Revision)
		}
		_, err := t.execRows(`UPDATE releases SET divided_since = ? WHERE project_id = ? AND revision = ?`, since, live.ProjectID, revision)
		return err
	})
}

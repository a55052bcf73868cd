package sqlite

import (
	"context"
	"database/sql"
	"errors"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// Append stores e under the next Seq of its deployment and returns it. It returns NotFound when the
// deployment is unknown. It is not idempotent.
//
// A stored event survives the end of the process at once. A power cut may lose the events after the
// last durable write, never ones in the middle: Append does not wait for the disk
// (synchronous=NORMAL in WAL mode), but the next durable write also makes the events before it
// durable. A deploy writes some 30 events, and its records do not depend on them.
func (s *Store) Append(ctx context.Context, e anchor.Event) (anchor.Event, error) {
	err := s.writeOn(ctx, s.journal, "append to the journal", func(t tx) error {
		err := t.StmtContext(t.ctx, s.hot.nextSeq).QueryRowContext(t.ctx, e.DeploymentID).Scan(&e.Seq)
		if errors.Is(err, sql.ErrNoRows) {
			return records.NoDeployment(e.DeploymentID)
		}
		if err != nil {
			return err
		}
		_, err = t.StmtContext(t.ctx, s.hot.appendEvent).ExecContext(t.ctx,
			e.DeploymentID, e.Seq, e.Time, e.Step, e.Phase, e.Message, e.DurationMS, e.Status)
		return err
	})
	if err != nil {
		return anchor.Event{}, err
	}
	return e, nil
}

// Events returns the deployment's events with a Seq above after, in order. An unknown deployment
// has none.
func (s *Store) Events(ctx context.Context, id anchor.DeploymentID, after int64) ([]anchor.Event, error) {
	rows, err := s.hot.events.QueryContext(ctx, id, after)
	return scanAll("read the journal", func(row scanner) (anchor.Event, error) {
		e := anchor.Event{DeploymentID: id}
		err := row.Scan(&e.Seq, &e.Time, &e.Step, &e.Phase, &e.Message, &e.DurationMS, &e.Status)
		return e, err
	}, rows, err)
}

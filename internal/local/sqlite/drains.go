package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// CreateDrain stores a drain and its sealed target. Durable on return. It returns NotFound when its project does not exist, and a conflict
// when it is being removed.
func (s *Store) CreateDrain(ctx context.Context, d anchor.Drain, sealed []byte) error {
	d.DrainState = anchor.DrainState{} // of the running server
	record, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "store the drain", func(t tx) error {
		project := sql.NullString{String: string(d.ProjectID), Valid: d.ProjectID != ""}
		if project.Valid {
			if err := checkOwner(t, d.ProjectID); err != nil {
				return err
			}
		}
		_, err := t.execRows(`INSERT INTO log_drains (id, project_id, record, sealed) VALUES (?, ?, ?, ?)`, d.ID, project, string(record), sealed)
		return err
	})
}

// Drains calls each for every drain, in the order in which they were created.
func (s *Store) Drains(ctx context.Context, each func(d anchor.Drain, sealed []byte) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT record, sealed FROM log_drains ORDER BY id`)
	if err != nil {
		return explainError("list the drains", err)
	}
	defer rows.Close()
	for rows.Next() {
		var record string
		var sealed []byte
		var d anchor.Drain
		if err := rows.Scan(&record, &sealed); err != nil {
			return explainError("list the drains", err)
		}
		if err := json.Unmarshal([]byte(record), &d); err != nil {
			return explainError("list the drains", err)
		}
		if err := each(d, sealed); err != nil {
			return err
		}
	}
	return explainError("list the drains", rows.Err())
}

// DeleteDrain removes a drain, durable on return. It returns NotFound without one.
func (s *Store) DeleteDrain(ctx context.Context, id string) error {
	return s.writeTx(ctx, "remove the drain", func(t tx) error {
		n, err := t.execRows(`DELETE FROM log_drains WHERE id = ?`, id)
		if err == nil && n == 0 {
			return anchor.NotFound("unknown_drain", "there is no drain %q", id).Hintf("Run anchor drains ls for a list.")
		}
		return err
	})
}

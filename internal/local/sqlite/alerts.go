package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// PutAlertChannel stores a channel and its sealed target, in place of the one with its id. Durable on return. It returns NotFound when its
// project does not exist or is being removed.
func (s *Store) PutAlertChannel(ctx context.Context, c anchor.AlertChannel, sealed []byte) error {
	record, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return s.writeTx(ctx, "store the alert channel", func(t tx) error {
		project := sql.NullString{String: string(c.ProjectID), Valid: c.ProjectID != ""}
		if project.Valid {
			if err := checkOwner(t, c.ProjectID); err != nil {
				return err
			}
		}
		_, err := t.execRows(`INSERT INTO alert_channels (id, project_id, record, sealed) VALUES (?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET project_id = excluded.project_id, record = excluded.record, sealed = excluded.sealed`, c.ID, project, string(record), sealed)
		return err
	})
}

// NoteAlertSent stores when a channel was last used, and what went wrong. A channel that was removed meanwhile stays removed.
func (s *Store) NoteAlertSent(ctx context.Context, id string, at int64, problem string) error {
	return s.writeTx(ctx, "note a sent alert", func(t tx) error {
		_, err := t.execRows(`UPDATE alert_channels SET record = json_set(record, '$.lastAt', ?, '$.lastError', ?) WHERE id = ?`, at, problem, id)
		return err
	})
}

// AlertChannels calls each for every channel, in the order in which they were created.
func (s *Store) AlertChannels(ctx context.Context, each func(c anchor.AlertChannel, sealed []byte) error) error {
	rows, err := s.read.QueryContext(ctx, `SELECT record, sealed FROM alert_channels ORDER BY id`)
	if err != nil {
		return explainError("list the alert channels", err)
	}
	defer rows.Close()
	for rows.Next() {
		var record string
		var sealed []byte
		var c anchor.AlertChannel
		if err := rows.Scan(&record, &sealed); err != nil {
			return explainError("list the alert channels", err)
		}
		if err := json.Unmarshal([]byte(record), &c); err != nil {
			return explainError("list the alert channels", err)
		}
		if err := each(c, sealed); err != nil {
			return err
		}
	}
	return explainError("list the alert channels", rows.Err())
}

// DeleteAlertChannel removes a channel, durable on return. It returns NotFound without one.
func (s *Store) DeleteAlertChannel(ctx context.Context, id string) error {
	return s.writeTx(ctx, "remove the alert channel", func(t tx) error {
		n, err := t.execRows(`DELETE FROM alert_channels WHERE id = ?`, id)
		if err == nil && n == 0 {
			return anchor.NotFound("unknown_alert_channel", "there is no alert channel %q", id).Hintf("Run anchor alerts ls for a list.")
		}
		return err
	})
}

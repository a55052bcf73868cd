package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// statements are the reads in the path of every request and the two writes of every step, prepared
// once.
type statements struct {
	deployment  *sql.Stmt
	live        *sql.Stmt
	tokenByHash *sql.Stmt
	events      *sql.Stmt
	nextSeq     *sql.Stmt
	appendEvent *sql.Stmt
}

func (h *statements) prepareAll(ctx context.Context, s *Store) error {
	for _, p := range []struct {
		stmt  **sql.Stmt
		db    *sql.DB
		query string
	}{
		{&h.deployment, s.read, `SELECT record, accepted FROM deployments WHERE id = ?`},
		{&h.live, s.read, liveOfProject},
		{&h.tokenByHash, s.read, `SELECT ` + tokenColumns + ` FROM tokens WHERE hash = ?`},
		{&h.events, s.read, `SELECT seq, time, step, phase, message, duration_ms, status
			FROM events WHERE deployment_id = ? AND seq > ? ORDER BY seq`},
		{&h.nextSeq, s.journal, `SELECT coalesce((SELECT max(seq) FROM events WHERE deployment_id = d.id), 0) + 1
			FROM deployments d WHERE id = ?`},
		{&h.appendEvent, s.journal, `INSERT INTO events (deployment_id, seq, time, step, phase, message, duration_ms, status)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?)`},
	} {
		stmt, err := p.db.PrepareContext(ctx, p.query)
		if err != nil {
			return fmt.Errorf("prepare %.40q: %w", p.query, err)
		}
		*p.stmt = stmt
	}
	return nil
}

func (h *statements) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{h.deployment, h.live, h.tokenByHash, h.events, h.nextSeq, h.appendEvent} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(errs...)
}

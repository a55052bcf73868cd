package sqlite

import (
	"context"
	"database/sql"
	"fmt"
)

// writeTx runs do in a transaction. When write returns nil the transaction is durable; when it
// returns an error the transaction has left nothing behind.
func (s *Store) writeTx(ctx context.Context, what string, do func(tx) error) error {
	return s.writeOn(ctx, s.records, what, do)
}

func (s *Store) writeOn(ctx context.Context, db *sql.DB, what string, do func(tx) error) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", what, ctx.Err())
	}
	defer s.log.note()
	return explainError(what, inTransaction(context.WithoutCancel(ctx), db, do))
}

func inTransaction(ctx context.Context, db *sql.DB, do func(tx) error) error {
	t, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer t.Rollback() //nolint:errcheck // after Commit it has nothing to do
	if err := do(tx{ctx, t}); err != nil {
		return err
	}
	return t.Commit()
}

// tx is a transaction with the context of the call it serves.
type tx struct {
	ctx context.Context
	*sql.Tx
}

// execRows runs a statement and returns the number of rows it changed.
func (t tx) execRows(query string, args ...any) (int64, error) {
	result, err := t.ExecContext(t.ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (t tx) queryRow(query string, args ...any) *sql.Row {
	return t.QueryRowContext(t.ctx, query, args...)
}

// scanner is a *sql.Row or *sql.Rows.
type scanner interface{ Scan(dest ...any) error }

// queryAll reads every row of a query.
func queryAll[T any](ctx context.Context, db *sql.DB, what string, scan func(scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := db.QueryContext(ctx, query, args...)
	return scanAll(what, scan, rows, err)
}

func scanAll[T any](what string, scan func(scanner) (T, error), rows *sql.Rows, err error) ([]T, error) {
	if err != nil {
		return nil, explainError(what, err)
	}
	defer rows.Close()
	found := []T{}
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, explainError(what, err)
		}
		found = append(found, one)
	}
	return found, explainError(what, rows.Err())
}

package isr

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
)

// TagRow records that the entry Path has Tag, and when the tag was last revalidated for it, in Unix
// milliseconds. OpenNext writes 1 for "known, never revalidated"; 0 is a row without the attribute,
// which ByPath does not return. Tag and Path are one key. Extra holds further attributes by name,
// unchanged.
type TagRow struct {
	Tag, Path     string
	RevalidatedAt int64
	Extra         map[string]json.RawMessage
}

// revalidates reports whether the row is more than the record that an entry has the tag.
func (r TagRow) revalidates() bool { return r.RevalidatedAt > 1 || len(r.Extra) > 0 }

func (s *Store) revalidated(ns string, rows []TagRow) {
	if s.Revalidated != nil {
		s.Revalidated(ns, rows)
	}
}

// TagKey names one row.
type TagKey struct{ Tag, Path string }

const (
	keepExisting    = `ON CONFLICT DO NOTHING`
	replaceExisting = `ON CONFLICT (ns, tag, path) DO UPDATE SET revalidated_at = excluded.revalidated_at, extra = excluded.extra`
)

// WriteTags puts rows and deletes keys in one transaction, durable on return.
func (s *Store) WriteTags(ctx context.Context, ns string, put []TagRow, remove []TagKey) error {
	err := s.db.inNamespace(ctx, ns, func(tx *sql.Tx, id int64) error {
		for _, k := range remove {
			if _, err := tx.ExecContext(ctx, `DELETE FROM tags WHERE ns = ? AND tag = ? AND path = ?`, id, k.Tag, k.Path); err != nil {
				return err
			}
		}
		return insertTags(ctx, tx, id, put, replaceExisting)
	})
	rows := slices.DeleteFunc(slices.Clone(put), func(r TagRow) bool { return !r.revalidates() })
	switch { // after an error, too: the transaction may have been committed
	case len(remove) > 0:
		s.revalidated(ns, nil)
	case len(rows) > 0:
		s.revalidated(ns, rows)
	}
	if err != nil {
		return fmt.Errorf("write tags of cache namespace %q: %w", ns, err)
	}
	return nil
}

// ByPath returns the rows of a path revalidated after the given Unix milliseconds, oldest first.
func (s *Store) ByPath(ctx context.Context, ns, path string, after int64) ([]TagRow, error) {
	return s.queryTags(ctx, s.db.byPath, ns, path, after)
}

// ByTag returns the rows of a tag in the order of their paths.
func (s *Store) ByTag(ctx context.Context, ns, tag string) ([]TagRow, error) {
	return s.queryTags(ctx, s.db.byTag, ns, tag)
}

// Tags returns the existing rows of the keys, in the order of the keys.
func (s *Store) Tags(ctx context.Context, ns string, keys []TagKey) ([]TagRow, error) {
	rows := make([]TagRow, 0, len(keys))
	for _, k := range keys {
		found, err := s.queryTags(ctx, s.db.byKey, ns, k.Tag, k.Path)
		if err != nil {
			return nil, err
		}
		rows = append(rows, found...)
	}
	return rows, nil
}

func (s *Store) queryTags(ctx context.Context, query *sql.Stmt, ns string, args ...any) ([]TagRow, error) {
	rows, err := query.QueryContext(ctx, append([]any{ns}, args...)...)
	if err != nil {
		return nil, fmt.Errorf("query tags of cache namespace %q: %w", ns, err)
	}
	defer rows.Close()
	var found []TagRow
	for rows.Next() {
		row, err := scanTag(rows)
		if err != nil {
			return nil, fmt.Errorf("query tags of cache namespace %q: %w", ns, err)
		}
		found = append(found, row)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("query tags of cache namespace %q: %w", ns, err)
	}
	return found, nil
}

func scanTag(rows *sql.Rows) (TagRow, error) {
	var row TagRow
	var at sql.NullInt64
	var extra sql.NullString
	if err := rows.Scan(&row.Tag, &row.Path, &at, &extra); err != nil {
		return row, err
	}
	row.RevalidatedAt = at.Int64
	if extra.Valid {
		return row, json.Unmarshal([]byte(extra.String), &row.Extra)
	}
	return row, nil
}

func insertTags(ctx context.Context, tx *sql.Tx, id int64, rows []TagRow, onConflict string) error {
	insert, err := tx.PrepareContext(ctx, `INSERT INTO tags (ns, tag, path, revalidated_at, extra) VALUES (?, ?, ?, ?, ?) `+onConflict)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, row := range rows {
		var extra any
		if len(row.Extra) > 0 {
			encoded, err := json.Marshal(row.Extra)
			if err != nil {
				return fmt.Errorf("tag %q: %w", row.Tag, err)
			}
			extra = string(encoded)
		}
		at := sql.NullInt64{Int64: row.RevalidatedAt, Valid: row.RevalidatedAt != 0}
		if _, err := insert.ExecContext(ctx, id, row.Tag, row.Path, at, extra); err != nil {
			return fmt.Errorf("tag %q: %w", row.Tag, err)
		}
	}
	return nil
}

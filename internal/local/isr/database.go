package isr

import (
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the "sqlite" driver
)

//go:embed schema.sql
var schema string

// database is one SQLite file through two pools. SQLite has one writer at a time, so a pool of one
// connection queues writes in Go instead of failing them with SQLITE_BUSY; readers never wait for
// it (WAL).
type database struct {
	read, write *sql.DB
	queries
}

// queries are the reads that every cached page needs, prepared once: parsing them takes longer than
// running them.
type queries struct {
	byPath, byTag, byKey, seed *sql.Stmt
}

func openDatabase(path string) (*database, error) {
	write, err := openPool(path, 1, "_txlock=immediate", "_pragma=synchronous(FULL)", "_pragma=foreign_keys(1)")
	if err != nil {
		return nil, err
	}
	if _, err := write.Exec(schema); err != nil {
		return nil, errors.Join(fmt.Errorf("create the tables in %s: %w", path, err), write.Close())
	}
	read, err := openPool(path, 4, "_pragma=query_only(1)")
	if err != nil {
		return nil, errors.Join(err, write.Close())
	}
	d := &database{read: read, write: write}
	if d.queries, err = prepareQueries(read); err != nil {
		return nil, errors.Join(fmt.Errorf("prepare to read %s: %w", path, err), d.close())
	}
	return d, nil
}

func prepareQueries(read *sql.DB) (q queries, err error) {
	const inNS = ` WHERE ns = (SELECT id FROM namespaces WHERE name = ?)`
	const tags = `SELECT tag, path, revalidated_at, extra FROM tags` + inNS
	for stmt, query := range map[**sql.Stmt]string{
		&q.byPath: tags + ` AND path = ? AND revalidated_at > ? ORDER BY revalidated_at`,
		&q.byTag:  tags + ` AND tag = ? ORDER BY path`,
		&q.byKey:  tags + ` AND tag = ? AND path = ?`,
		&q.seed:   `SELECT file, modified_ms FROM seeds` + inNS + ` AND key = ? AND deleted = 0`,
	} {
		if *stmt, err = read.Prepare(query); err != nil {
			return q, err
		}
	}
	return q, nil
}

func openPool(path string, conns int, params ...string) (*sql.DB, error) {
	dsn := "file:" + (&url.URL{Path: path}).EscapedPath() +
		"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=cache_size(-1024)"
	for _, p := range params {
		dsn += "&" + p
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	db.SetConnMaxIdleTime(time.Minute)
	if err := db.Ping(); err != nil {
		return nil, errors.Join(fmt.Errorf("open %s: %w", path, err), db.Close())
	}
	return db, nil
}

func (d *database) close() error { return errors.Join(d.read.Close(), d.write.Close()) }

// inNamespace runs do in one transaction that also creates the namespace if necessary. No part of
// it is visible before it is on disk; afterwards all of it is.
func (d *database) inNamespace(ctx context.Context, ns string, do func(tx *sql.Tx, id int64) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after Commit
	if _, err := tx.ExecContext(ctx, `INSERT INTO namespaces (name) VALUES (?) ON CONFLICT DO NOTHING`, ns); err != nil {
		return err
	}
	var id int64
	if err := tx.QueryRowContext(ctx, `SELECT id FROM namespaces WHERE name = ?`, ns).Scan(&id); err != nil {
		return err
	}
	if err := do(tx, id); err != nil {
		return err
	}
	return tx.Commit()
}

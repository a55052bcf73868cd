// Package side opens SQLite files that hold less than the records do: what they lose with the machine is some
// seconds, and a damaged one is set aside and begun again.
package side

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Open opens or creates the file at path, and applies the schema, which must do nothing when it is there. A file that cannot be
// opened is renamed to <path>.damaged.
func Open(ctx context.Context, path, schema string, log *slog.Logger) (*sql.DB, error) {
	db, err := openFile(ctx, path, schema)
	if err != nil && ctx.Err() == nil {
		log.Warn("a file is damaged; another one is begun", "file", path, "error", err)
		err = errors.Join(os.Rename(path, path+".damaged"), removeIfThere(path+"-wal"), removeIfThere(path+"-shm"))
		if err == nil {
			db, err = openFile(ctx, path, schema)
		}
	}
	return db, err
}

func removeIfThere(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

func openFile(ctx context.Context, path, schema string) (*sql.DB, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite would make it readable for everyone
	if err != nil {
		return nil, err
	}
	if err := file.Close(); err != nil {
		return nil, err
	}
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)"}}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(2)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

// Change runs do in a transaction, which it commits unless do fails. what says what do is for: "store the traffic".
func Change(ctx context.Context, db *sql.DB, what string, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, nil)
	if err == nil {
		err = do(tx)
		if err == nil {
			err = tx.Commit()
		} else {
			err = errors.Join(err, tx.Rollback())
		}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

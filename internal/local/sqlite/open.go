// Package sqlite stores Anchor's records in one SQLite file. Reads run in parallel on separate
// connections; writes take turns.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	busyTimeoutMS = 5000
	readers       = 4
)

// Store is the records in one file. It is safe for concurrent use.
//
// A write checks its context before it begins and is not stopped half-way: it is one short
// transaction, and a definite result is better than doubt.
type Store struct {
	read    *sql.DB
	records *sql.DB // synchronous=FULL: durable on return
	journal *sql.DB // synchronous=NORMAL: see Append
	copies  *sql.DB // opened for a Backup
	copying sync.Mutex
	backups Backups
	turn    chan struct{}
	hot     statements
	log     checkpoints
}

// Open opens the file at path and upgrades its schema. It creates the file (mode 0600) when it does
// not exist. Records of an older schema are first copied to the folder "backups" beside the file,
// under a name with their version. Open refuses a file that a newer Anchor wrote, a file that is
// not a database of Anchor's, and, after 5 s, one that another process is writing to.
func Open(ctx context.Context, path string) (*Store, error) {
	if err := createFile(path); err != nil {
		return nil, err
	}
	s := &Store{turn: make(chan struct{}, 1), backups: Backups(filepath.Join(filepath.Dir(path), "backups"))}
	var err error
	if s.records, err = openPool(path, 1, "synchronous(FULL)", "rw"); err == nil {
		s.journal, err = openPool(path, 1, "synchronous(NORMAL)", "rw")
	}
	if err == nil {
		s.read, err = openPool(path, readers, "query_only(1)", "rw")
	}
	if err == nil {
		s.copies, err = openPool(path, 1, "synchronous(FULL)", "rw")
	}
	if err == nil {
		err = s.prepareFile(ctx)
	}
	if err != nil {
		return nil, errors.Join(explainOpenError(path, err), s.Close())
	}
	s.log.begin(s)
	return s, nil
}

// prepareFile changes nothing in a file that is not ours: even WAL mode, which the
// file keeps, comes after the check.
func (s *Store) prepareFile(ctx context.Context) error {
	if err := checkSchema(ctx, s.records, len(migrations)); err != nil {
		return err
	}
	if _, err := s.records.ExecContext(ctx, "PRAGMA journal_mode = WAL"); err != nil {
		return err
	}
	if err := s.copyBefore(ctx, migrations); err != nil {
		return err
	}
	if err := migrateSchema(ctx, s.records, migrations); err != nil {
		return err
	}
	return s.hot.prepareAll(ctx, s)
}

// createFile creates the file itself, because SQLite would make it readable for everyone; its -wal and
// -shm inherit the mode (unixOpen in SQLite's os_unix.c).
func createFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("open the records: %w", err)
	}
	return f.Close()
}

func openPool(path string, most int, pragma, mode string) (*sql.DB, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	query := url.Values{
		"mode":    {mode},
		"_txlock": {"immediate"}, // a write that may have to wait does so at its start
		"_pragma": {
			fmt.Sprintf("busy_timeout(%d)", busyTimeoutMS),
			"foreign_keys(1)",
			"wal_autocheckpoint(" + checkpointAt + ")",
			pragma,
		},
	}
	dsn := url.URL{Scheme: "file", Path: abs, RawQuery: query.Encode()}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(most)
	db.SetMaxIdleConns(most)
	return db, nil
}

// Close closes all connections; no call may be under way.
func (s *Store) Close() error {
	s.log.end()
	errs := []error{s.hot.close()}
	for _, db := range []*sql.DB{s.copies, s.read, s.journal, s.records} {
		if db != nil {
			errs = append(errs, db.Close())
		}
	}
	return errors.Join(errs...)
}

package sqlite_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
)

// raw opens the file directly, not through the Store.
func raw(t *testing.T, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	return db
}

func run(t *testing.T, db *sql.DB, query string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), query); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// refused fails the test unless Open refuses the file with an error of code and a
// hint, and leaves it as it is.
func refused(t *testing.T, path, code string) {
	t.Helper()
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sqlite.Open(t.Context(), path)
	if err == nil {
		s.Close()
	}
	if e := (*anchor.Error)(nil); !errors.As(err, &e) || e.Code != code || e.Hint == "" {
		t.Errorf("error %v, want one of code %s with a hint", err, code)
	}
	after, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(before) != string(after) {
		t.Error("the file was changed")
	}
}

func TestOpen_FileModes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s := open(t, path)
	if err := s.CreateProject(t.Context(), anchor.Project{ID: "p", Slug: "shop"}); err != nil {
		t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", suffix, info, err)
		}
	}
}

func TestOpen_NewerSchema(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, path)
	run(t, db, "PRAGMA user_version = 1000")
	db.Close()
	refused(t, path, "newer_schema")
}

func TestOpen_ForeignDatabase(t *testing.T) {
	for _, made := range []string{"CREATE TABLE theirs (x)", "PRAGMA user_version = 1", "PRAGMA application_id = 7"} {
		path := filepath.Join(t.TempDir(), "records.db")
		db := raw(t, path)
		run(t, db, made)
		db.Close()
		refused(t, path, "foreign_database")
	}
}

func TestOpen_DamagedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is not a database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, path, "records_damaged")
}

func TestOpen_FileInUse(t *testing.T) {
	t.Parallel() // it waits for the busy timeout
	path := filepath.Join(t.TempDir(), "records.db")
	if err := open(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	db := raw(t, path)
	run(t, db, "PRAGMA journal_mode = WAL")
	run(t, db, "BEGIN EXCLUSIVE")
	refused(t, path, "records_busy")
	run(t, db, "ROLLBACK")
	open(t, path)
}

func TestOpen_MissingFolder(t *testing.T) {
	_, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "none", "records.db"))
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("error %v", err)
	}
}

// Connections that a pool opens later have these settings, too.
func TestOpen_Pragmas(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	for pool, want := range sqlite.Pragmas(t, open(t, path)) {
		full := map[string]string{"records": "2", "journal": "1"} // FULL, NORMAL
		if got := want["synchronous"]; full[pool] != "" && got != full[pool] {
			t.Errorf("%s: synchronous = %s, want %s", pool, got, full[pool])
		}
		for pragma, value := range map[string]string{"journal_mode": "wal", "foreign_keys": "1", "busy_timeout": "5000"} {
			if want[pragma] != value {
				t.Errorf("%s: %s = %s, want %s", pool, pragma, want[pragma], value)
			}
		}
		if readOnly := want["query_only"] == "1"; readOnly != (pool == "read") {
			t.Errorf("%s: query_only = %s", pool, want["query_only"])
		}
	}
}

package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// older creates records of an older schema, with one project, and returns their path.
func older(t *testing.T, version int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "anchor.db")
	db, err := openPool(path, 1, "synchronous(FULL)", "rwc")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := migrateSchema(t.Context(), db, migrations[:version]); err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `INSERT INTO projects (id, slug, production_branch, created_at) VALUES ('p', 'shop', 'main', 1)`); err != nil {
		t.Fatal(err)
	}
	return path
}

// upgraded opens the records at path and closes them.
func upgraded(t *testing.T, path string) {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Project(t.Context(), "p"); err != nil {
		t.Error(err)
	}
}

// stateOf reads the schema's version and the number of projects of a file.
func stateOf(t *testing.T, path string) (version, projects int) {
	t.Helper()
	db, err := openPool(path, 1, "query_only(1)", "ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.QueryRowContext(t.Context(), `SELECT (SELECT user_version FROM pragma_user_version), (SELECT count(*) FROM projects)`).Scan(&version, &projects)
	if err != nil {
		t.Fatal(err)
	}
	return version, projects
}

// TestOpen_Upgrade_CopiesTheRecords upgrades records of every earlier schema.
func TestOpen_Upgrade_CopiesTheRecords(t *testing.T) {
	for version := 1; version < len(migrations); version++ {
		path := older(t, version)
		backups := Backups(filepath.Join(filepath.Dir(path), "backups"))
		// The remains of an earlier try that was killed.
		if err := os.MkdirAll(string(backups), 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{filepath.Join(string(backups), "unfinished"), backups.ofSchema(version)} {
			if err := os.WriteFile(name, []byte("half a copy"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		upgraded(t, path)
		if v, n := stateOf(t, path); v != len(migrations) || n != 1 {
			t.Errorf("from schema %d: the records have schema %d and %d projects", version, v, n)
		}
		if v, n := stateOf(t, backups.ofSchema(version)); v != version || n != 1 {
			t.Errorf("from schema %d: the copy has schema %d and %d projects", version, v, n)
		}
		info, err := os.Stat(backups.ofSchema(version))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the copy is %v, %v", info, err)
		}
		entries, err := os.ReadDir(string(backups))
		if err != nil || len(entries) != 1 {
			t.Errorf("beside the copy there are %v, %v", entries, err)
		}
	}
}

// TestOpen_CurrentSchema_MakesNoCopy opens a new file and one that is up to date.
func TestOpen_CurrentSchema_MakesNoCopy(t *testing.T) {
	path := filepath.Join(t.TempDir(), "anchor.db")
	for range 2 {
		s, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(filepath.Dir(path), "backups")); err == nil {
		t.Errorf("there are copies: %v", entries)
	}
}

// TestStore_Backup_KeepsCopyOfUpgrade deletes numbered copies, of which the copy before an upgrade is
// not one.
func TestStore_Backup_KeepsCopyOfUpgrade(t *testing.T) {
	path := older(t, 1)
	upgraded(t, path)
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	backups := s.backups
	for range 4 {
		if err := s.Backup(t.Context(), backups, 2); err != nil {
			t.Fatal(err)
		}
	}
	if v, _ := stateOf(t, backups.ofSchema(1)); v != 1 {
		t.Errorf("the copy of the upgrade has schema %d", v)
	}
	if all, err := backups.All(); err != nil || len(all) != 2 {
		t.Errorf("the numbered copies are %v, %v", all, err)
	}
}

// TestOpen_Upgrade_RefusedWithoutCopy leaves the records as they are when the copy cannot be written,
// as on a full disk.
func TestOpen_Upgrade_RefusedWithoutCopy(t *testing.T) {
	path := older(t, 1)
	if err := os.WriteFile(filepath.Join(filepath.Dir(path), "backups"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err := Open(t.Context(), path); err == nil {
		s.Close()
		t.Error("the schema is changed without a copy")
	} else if anchor.HintOf(err) == "" {
		t.Errorf("the error does not say what to do: %v", err)
	}
	if v, n := stateOf(t, path); v != 1 || n != 1 {
		t.Errorf("the records have schema %d and %d projects", v, n)
	}
}

package sqlite

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"
)

// Pragmas returns the settings of a connection of each pool.
func Pragmas(t *testing.T, s *Store) map[string]map[string]string {
	t.Helper()
	got := map[string]map[string]string{}
	for pool, db := range map[string]*sql.DB{"read": s.read, "records": s.records, "journal": s.journal} {
		got[pool] = map[string]string{}
		for _, pragma := range []string{"synchronous", "journal_mode", "foreign_keys", "busy_timeout", "query_only"} {
			var value string
			if err := db.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&value); err != nil {
				t.Fatal(err)
			}
			got[pool][pragma] = value
		}
	}
	return got
}

func TestMigrate_BrokenStep(t *testing.T) {
	db, err := openPool(filepath.Join(t.TempDir(), "records.db"), 1, "synchronous(FULL)", "rwc")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	version := func() (n int) {
		if err := db.QueryRowContext(t.Context(), "PRAGMA user_version").Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := "PRAGMA application_id = 1634624360; CREATE TABLE a (x); INSERT INTO a VALUES (1)"
	broken := "CREATE TABLE b (x); INSERT INTO b VALUES (1); INSERT INTO nowhere VALUES (1)"
	whole := "CREATE TABLE b (x); INSERT INTO b SELECT x + 1 FROM a"

	if err := migrateSchema(t.Context(), db, []string{first, broken}); err == nil || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("the broken step: error %v", err)
	}
	if version() != 1 {
		t.Errorf("after the broken step the version is %d, want 1", version())
	}
	for range 2 {
		if err := migrateSchema(t.Context(), db, []string{first, whole}); err != nil {
			t.Fatal(err)
		}
	}
	var x, rows int
	if err := db.QueryRowContext(t.Context(), "SELECT max(x), count(*) FROM b").Scan(&x, &rows); err != nil || x != 2 || rows != 1 || version() != 2 {
		t.Errorf("x = %d in %d rows at version %d, %v", x, rows, version(), err)
	}
}

// The lists and the pointer must not scan whole tables.
func TestStore_QueriesUseIndexes(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "records.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, query := range []string{
		liveOfProject,
		`SELECT record FROM deployments WHERE status IN ('queued', 'building', 'built', 'deploying') ORDER BY project_id, accepted`,
		`SELECT record FROM deployments WHERE project_id = ? AND accepted < ? ORDER BY accepted DESC LIMIT ?`,
		`SELECT record FROM deployments WHERE project_id = ? AND serves ORDER BY accepted DESC`,
		`DELETE FROM deployments WHERE project_id = ?`,
		`SELECT * FROM tokens WHERE hash = ?`,
		`SELECT ` + hostnameColumns + ` FROM hostnames WHERE project_id = ? AND id < ? ORDER BY id DESC LIMIT ?`,
		`SELECT ` + hostnameColumns + ` FROM hostnames WHERE id < ? ORDER BY id DESC LIMIT ?`,
		dueHostnames,
	} {
		rows, err := s.read.QueryContext(t.Context(), "EXPLAIN QUERY PLAN "+strings.ReplaceAll(query, "?", "'1'"))
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id, parent, unused int
			var detail string
			if err := rows.Scan(&id, &parent, &unused, &detail); err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(detail, "SCAN") && !strings.Contains(detail, "USING INDEX") || strings.Contains(detail, "TEMP B-TREE") {
				t.Errorf("%s\n\t%s", query, detail)
			}
		}
		if err := rows.Err(); err != nil {
			t.Error(err)
		}
		rows.Close()
	}
}

package sqlite

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// SQLite returns SQLITE_FULL for a file at its max_page_count as for a full disk.
func TestStore_FullDisk(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "records.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CreateProject(t.Context(), anchor.Project{ID: "p", Slug: "shop"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.records.ExecContext(t.Context(), "PRAGMA max_page_count = 1"); err != nil { // its size, at least
		t.Fatal(err)
	}
	d := anchor.Deployment{ID: "d", ProjectID: "p", Status: anchor.Queued, CommitMessage: strings.Repeat("x", 1<<16)}
	err = s.CreateDeployment(t.Context(), d)
	if e := (*anchor.Error)(nil); !errors.As(err, &e) || e.Code != "disk_full" || e.Hint == "" {
		t.Errorf("error %v, want one of code disk_full with a hint", err)
	}
	if _, err := s.Deployment(t.Context(), "d"); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("the deployment that failed: %v", err)
	}
	if _, err := s.records.ExecContext(t.Context(), "PRAGMA max_page_count = 100000"); err != nil {
		t.Fatal(err)
	}
	if err := s.CreateDeployment(t.Context(), d); err != nil {
		t.Errorf("with space again: %v", err)
	}
}

package sqlite

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestStore_LogStaysShort(t *testing.T) {
	path := filepath.Join(t.TempDir(), "records.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.CreateProject(t.Context(), anchor.Project{ID: "p", Slug: "shop"}); err != nil {
		t.Fatal(err)
	}
	write := func() {
		if _, err := s.Accept(t.Context(), "p"); err != nil {
			t.Fatal(err)
		}
	}
	for range 10 * checkpointEvery {
		write()
		if s.log.writes.Load()%checkpointEvery == 0 {
			// What was asked for in the background may have been done already.
			if err := s.checkpoint(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if most := int64(3 * checkpointEvery * 3 * 4096); info.Size() > most {
		t.Errorf("the log has %d bytes after %d writes, want at most %d", info.Size(), 10*checkpointEvery, most)
	}
}

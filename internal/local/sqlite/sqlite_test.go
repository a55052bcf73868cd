package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/sqlite"
	"github.com/anchor-deploy/anchor/internal/records/recordstest"
)

func open(t *testing.T, path string) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestConformance(t *testing.T) {
	recordstest.Run(t, func(t *testing.T) (recordstest.Store, func() recordstest.Store) {
		path := filepath.Join(t.TempDir(), "with ?%# in it.db")
		s := open(t, path)
		return s, func() recordstest.Store {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			return open(t, path)
		}
	})
}

func TestConformance_People(t *testing.T) {
	recordstest.RunPeople(t, func(t *testing.T) recordstest.PeopleStore { return open(t, filepath.Join(t.TempDir(), "anchor.db")) })
}

package sqlite

import (
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestDrains_LeaveWithTheirProject(t *testing.T) {
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "anchor.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(s.CreateProject(t.Context(), anchor.Project{ID: "p", Slug: "shop", ProductionBranch: "main"}))
	must(s.CreateDrain(t.Context(), anchor.Drain{ID: "a", Kind: "http", ProjectID: "p", Sources: []string{"app"}, DrainState: anchor.DrainState{Sent: 7}}, []byte("sealed")))
	must(s.CreateDrain(t.Context(), anchor.Drain{ID: "b", Kind: "loki"}, []byte("x")))
	if err := s.CreateDrain(t.Context(), anchor.Drain{ID: "c", ProjectID: "none"}, []byte("x")); anchor.CodeOf(err) != "unknown_project" {
		t.Errorf("of no project: %v", err)
	}
	list := func() (ids string) {
		t.Helper()
		must(s.Drains(t.Context(), func(d anchor.Drain, sealed []byte) error {
			if ids += d.ID; d.ID == "a" && (string(sealed) != "sealed" || d.Sources[0] != "app" || d.Sent != 0) {
				t.Errorf("%+v, %s", d, sealed)
			}
			return nil
		}))
		return ids
	}
	if got := list(); got != "ab" {
		t.Errorf("drains %s", got)
	}
	must(s.DeleteProject(t.Context(), "p"))
	if got := list(); got != "b" {
		t.Errorf("after the project: %s", got)
	}
	must(s.DeleteDrain(t.Context(), "b"))
	if err := s.DeleteDrain(t.Context(), "b"); anchor.CodeOf(err) != "unknown_drain" {
		t.Errorf("removed twice: %v", err)
	}
}

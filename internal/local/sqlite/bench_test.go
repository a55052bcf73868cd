package sqlite_test

import (
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/sqlite"
)

// furnished returns a store with one live deployment.
func furnished(b *testing.B) (*sqlite.Store, anchor.Live) {
	b.Helper()
	s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "records.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	p := anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop"}
	if err := s.CreateProject(b.Context(), p); err != nil {
		b.Fatal(err)
	}
	live, err := deployOne(b.Context(), s, p.ID)
	if err != nil {
		b.Fatal(err)
	}
	return s, live
}

func BenchmarkMove(b *testing.B) {
	s, live := furnished(b)
	for b.Loop() {
		if _, err := rollBackOne(b.Context(), s, live.ProjectID); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	s, live := furnished(b)
	for b.Loop() {
		if _, err := s.Append(b.Context(), anchor.Event{DeploymentID: live.Deployment}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLive(b *testing.B) {
	s, live := furnished(b)
	for b.Loop() {
		if _, err := s.Live(b.Context(), live.ProjectID); err != nil {
			b.Fatal(err)
		}
	}
}

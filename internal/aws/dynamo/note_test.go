package dynamo_test

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func (s *stand) wantNote(p anchor.ProjectID, want string) {
	s.Helper()
	got, err := s.another().Note(s.ctx, p)
	s.ok(err)
	if got != want {
		s.Errorf("the note is %q, want %q", got, want)
	}
}

func TestStore_PutNote(t *testing.T) {
	s := newStand(t)
	other := s.newProject("other")
	s.wantNote(s.project.ID, "")
	for _, text := range []string{"one", `{"two":2}`, `{"two":2}`} {
		s.ok(s.PutNote(s.ctx, s.project.ID, text))
		s.wantNote(s.project.ID, text)
	}
	s.wantNote(other.ID, "")
	s.code(s.PutNote(s.ctx, "nobody", "text"), anchor.KindNotFound, "unknown_project")
	s.wantNote("nobody", "")
}

// TestStore_DeleteProject_DeletesNote: another project of the same slug has no note. Nobody can write a
// note for a project that is being removed, since it would stay forever.
func TestStore_DeleteProject_DeletesNote(t *testing.T) {
	s := newStand(t)
	s.ok(s.PutNote(s.ctx, s.project.ID, "text"))
	s.ok(s.RetireProject(s.ctx, s.project.ID))
	s.code(s.PutNote(s.ctx, s.project.ID, "more"), anchor.KindNotFound, "project_removing")
	s.wantNote(s.project.ID, "text")
	s.ok(s.DeleteProject(s.ctx, s.project.ID))
	if n := s.rows(); n != 0 {
		t.Errorf("there are %d items left", n)
	}
	s.wantNote(s.newProject(s.project.Slug).ID, "")
	s.wantNote(s.project.ID, "")
}

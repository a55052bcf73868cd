package dynamo_test

import (
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestStore_PutBuildNote(t *testing.T) {
	s := newStand(t)
	d, other := s.deployment(anchor.Queued), s.deployment(anchor.Queued)
	want := func(id anchor.DeploymentID, want string) {
		t.Helper()
		if got, err := s.another().BuildNote(s.ctx, id); err != nil || got != want {
			t.Errorf("the note is %q, %v; want %q", got, err, want)
		}
	}
	want(d.ID, "")
	for _, text := range []string{"one", `{"two":2}`} {
		s.ok(s.PutBuildNote(s.ctx, d.ID, text))
		want(d.ID, text)
	}
	want(other.ID, "")
	s.code(s.PutBuildNote(s.ctx, "unknown", "text"), anchor.KindNotFound, "unknown_deployment")
	want("unknown", "")
	s.ok(s.DeleteProject(s.ctx, s.project.ID))
	want(d.ID, "")
}

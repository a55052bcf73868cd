package dynamo

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const noteAttr = "note"

// Note returns what PutNote wrote last for the project, or "" when there is no note or no such
// project.
func (s *Store) Note(ctx context.Context, p anchor.ProjectID) (string, error) {
	it, err := s.getItem(ctx, "read the project's note", s.t.noteKey(p))
	return strOf(it, noteAttr), err
}

// PutNote replaces the project's note, durable on return; NotFound when the project does not
// exist or is being removed. Deleting the project deletes it.
func (s *Store) PutNote(ctx context.Context, p anchor.ProjectID, text string) error {
	return s.writeTransaction(ctx, "write the project's note",
		s.ownerCondition(p), change{at: s.t.noteKey(p), put: item{noteAttr: stringValue(text)}},
	)
}

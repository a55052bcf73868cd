package dynamo

import (
	"context"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const noteAttr = "note"

// Note returns what PutNote wrote last for the project, or "" when there is no note or no such
// project.
func (s *Store) Note(ctx context.Context, p anchor.ProjectID) (string, error) {
	if text, read := s.notes.take(p); read {
		return text, nil
	}
	it, err := s.getItem(ctx, "read the project's note", s.t.noteKey(p))
	return strOf(it, noteAttr), err
}

// PutNote replaces the project's note, durable on return; NotFound when the project does not
// exist or is being removed. Deleting the project deletes it.
func (s *Store) PutNote(ctx context.Context, p anchor.ProjectID, text string) error {
	s.notes.take(p)
	return s.writeTransaction(ctx, "write the project's note",
		s.ownerCondition(p), change{at: s.t.noteKey(p), put: item{noteAttr: stringValue(text)}},
	)
}

// readNotes are the notes that SwitchRecords read beside what it returns. Each is used once.
type readNotes struct {
	mu   sync.Mutex
	text map[anchor.ProjectID]string
}

func (n *readNotes) keep(p anchor.ProjectID, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.text == nil {
		n.text = map[anchor.ProjectID]string{}
	}
	n.text[p] = text
}

func (n *readNotes) take(p anchor.ProjectID) (text string, read bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	text, read = n.text[p]
	delete(n.text, p)
	return text, read
}

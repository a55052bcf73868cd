package dynamo

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// BuildNote returns what PutBuildNote wrote last for the deployment, or "" when there is no note.
func (s *Store) BuildNote(ctx context.Context, id anchor.DeploymentID) (string, error) {
	it, err := s.getItem(ctx, "read the note about a build", s.t.buildKey(id))
	return strOf(it, noteAttr), err
}

// PutBuildNote replaces the note about the deployment's build, durable on return; NotFound when the
// deployment is unknown. Deleting the deployment deletes it.
func (s *Store) PutBuildNote(ctx context.Context, id anchor.DeploymentID, text string) error {
	return s.writeTransaction(ctx, "write the note about a build",
		change{at: s.t.recordKey(id), when: isThere, refused: refuseWith(records.NoDeployment(id))},
		change{at: s.t.buildKey(id), put: item{noteAttr: stringValue(text)}},
	)
}

package dynamo

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Removed reports whether the deployment was deleted with its project.
func (s *Store) Removed(ctx context.Context, id anchor.DeploymentID) (bool, error) {
	it, err := s.getItem(ctx, "look for a removed deployment", s.t.removedKey(id))
	return it != nil, err
}

// ProjectRemoved reports whether the project was deleted.
func (s *Store) ProjectRemoved(ctx context.Context, id anchor.ProjectID) (bool, error) {
	it, err := s.getItem(ctx, "look for a removed project", s.t.removedProject(id))
	return it != nil, err
}

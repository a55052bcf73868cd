package memory

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// Append stores e under the next Seq of its deployment and returns it, or NotFound.
func (s *Store) Append(ctx context.Context, e anchor.Event) (anchor.Event, error) {
	return callWithFault(ctx, s, "Append", func() (anchor.Event, error) {
		if _, found := s.deployments[e.DeploymentID]; !found {
			return e, records.NoDeployment(e.DeploymentID)
		}
		e.Seq = int64(len(s.events[e.DeploymentID]) + 1)
		s.events[e.DeploymentID] = append(s.events[e.DeploymentID], e)
		return e, nil
	})
}

// Events returns the deployment's with a Seq above after, in order.
func (s *Store) Events(ctx context.Context, id anchor.DeploymentID, after int64) ([]anchor.Event, error) {
	return callWithFault(ctx, s, "Events", func() ([]anchor.Event, error) {
		all := s.events[id]
		after = min(max(after, 0), int64(len(all)))
		return append([]anchor.Event{}, all[after:]...), nil
	})
}

package deploy

import (
	"context"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Quota bounds what one project may have under way. Zero fields bound nothing.
type Quota struct {
	Queued int // deployments that have not ended
}

// createWithinQuota records d unless its project has too many deployments that have not ended.
func (s *Service) createWithinQuota(ctx context.Context, d anchor.Deployment) error {
	if s.Quota.Queued > 0 {
		s.admission.Lock() // from the count to the record
		defer s.admission.Unlock()
		if err := s.checkQueued(ctx, d.ProjectID); err != nil {
			return err
		}
	}
	if err := s.Records.CreateDeployment(ctx, d); err != nil {
		return fmt.Errorf("record deployment %s: %w", d.ID, err)
	}
	return nil
}

func (s *Service) checkQueued(ctx context.Context, p anchor.ProjectID) error {
	queued, err := s.unfinishedOf(ctx, p)
	if err != nil || len(queued) < s.Quota.Queued {
		return err
	}
	return anchor.Conflict("too_many_deployments", "the project has too many deployments that have not ended: %d; the limit is %d", len(queued), s.Quota.Queued).
		Hintf("Wait until they end, cancel one with anchor cancel %s, or start the server with a higher limit: anchor up --max-queued %d", queued[0].ID, 2*s.Quota.Queued)
}

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

// admit records d unless its project has too many deployments that have not ended.
func (s *Service) admit(ctx context.Context, d anchor.Deployment) error {
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
	unfinished, err := s.Records.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("count the deployments under way: %w", err)
	}
	var oldest anchor.DeploymentID
	count := 0
	for _, d := range unfinished {
		if d.ProjectID != p {
			continue
		}
		if count++; oldest == "" {
			oldest = d.ID
		}
	}
	if count < s.Quota.Queued {
		return nil
	}
	return anchor.Conflict("too_many_deployments", "the project has %d deployments that have not ended, and %d are the limit", count, s.Quota.Queued).
		Hintf("Wait until they end, give one up with anchor cancel %s, or start the server with a higher limit: anchor up --max-queued %d", oldest, 2*s.Quota.Queued)
}

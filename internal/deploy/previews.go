package deploy

import (
	"context"
	"errors"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// RemovePreviews ends the deployments of a branch that have not ended and removes its previews. What
// is live or was live stays. It returns how many previews were removed.
func (s *Service) RemovePreviews(ctx context.Context, p anchor.ProjectID, branch string) (int, error) {
	unfinished, err := s.unfinishedOf(ctx, p)
	if err != nil {
		return 0, err
	}
	for _, d := range unfinished {
		if d.Branch != branch || !d.NoRelease {
			continue
		}
		if _, err := s.Cancel(ctx, p, d.ID); err != nil && !errors.Is(err, anchor.ErrConflict) {
			return 0, fmt.Errorf("cancel deployment %s: %w", d.ID, err)
		}
	}
	removed, err := s.Retention.PrunePreviews(ctx, p, branch)
	return len(removed), err
}

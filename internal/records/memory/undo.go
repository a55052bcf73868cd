package memory

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// Undo is the second half of release.Pointer's compare-and-swap.
func (s *Store) Undo(ctx context.Context, failed anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error) {
	return callWithFault(ctx, s, "Undo", func() (anchor.Live, error) {
		err := records.CheckUndo(failed, to, record)
		if err == nil {
			err = s.checkMove(failed, to)
		}
		if err == nil && record != nil {
			err = s.checkUndone(*record)
		}
		if err != nil {
			return anchor.Live{}, err
		}
		if record != nil {
			s.replaceDeployment(*record)
		}
		to.Revision = failed.Revision + 1
		s.releases[to.ProjectID] = append(s.releases[to.ProjectID], to)
		return records.LiveAfter(to), nil
	})
}

func (s *Store) checkUndone(record anchor.Deployment) error {
	stored, found := s.deployments[record.ID]
	switch {
	case !found || stored.ProjectID != record.ProjectID:
		return records.ForeignRecord(record.ID, record.ProjectID)
	case stored.Status != anchor.Deployed:
		return records.StatusChanged(record.ID, stored.Status, anchor.Deployed)
	}
	return nil
}

// SetDivided notes since when traffic has not followed the pointer, 0 for that it follows.
func (s *Store) SetDivided(ctx context.Context, live anchor.Live, since int64) error {
	return changeWithFault(ctx, s, "SetDivided", func() error {
		all := s.releases[live.ProjectID]
		if stored := int64(len(all)); stored == 0 || stored != live.Revision {
			return records.PointerMoved(live.ProjectID, stored, live.Revision)
		}
		all[len(all)-1].DividedSince = since
		return nil
	})
}

package memory

import (
	"context"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

// Live returns the project's pointer, NotFound before the first release.
func (s *Store) Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error) {
	return callWithFault(ctx, s, "Live", func() (anchor.Live, error) {
		all := s.releases[p]
		if len(all) == 0 || s.projects[p].Removing {
			return anchor.Live{}, records.NeverLive(p)
		}
		return records.LiveAfter(all[len(all)-1]), nil
	})
}

// Lives returns the pointers of all projects that have one.
func (s *Store) Lives(ctx context.Context) ([]anchor.Live, error) {
	return callWithFault(ctx, s, "Lives", func() ([]anchor.Live, error) {
		found := []anchor.Live{}
		for p, all := range s.releases {
			if !s.projects[p].Removing {
				found = append(found, records.LiveAfter(all[len(all)-1]))
			}
		}
		return found, nil
	})
}

// Accept hands out the project's next place in the order of requests, or is NotFound.
func (s *Store) Accept(ctx context.Context, p anchor.ProjectID) (int64, error) {
	return callWithFault(ctx, s, "Accept", func() (int64, error) {
		if err := s.checkOwner(p); err != nil {
			return 0, err
		}
		return s.nextOrder(p), nil
	})
}

// Move is the compare-and-swap that release.Pointer describes; NotFound when the project is
// unknown or the deployment does not belong to it.
func (s *Store) Move(ctx context.Context, from anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error) {
	return callWithFault(ctx, s, "Move", func() (anchor.Live, error) {
		err := s.checkMove(from, to)
		if err == nil && record != nil {
			err = s.checkRecord(to.ProjectID, *record)
		}
		if err != nil {
			return anchor.Live{}, err
		}
		if to.Order == 0 && (record == nil || record.IsRollback) {
			to.Order = s.nextOrder(to.ProjectID)
		}
		switch {
		case record == nil:
		case record.IsRollback:
			inserted := cloneDeployment(*record)
			inserted.Order = to.Order
			s.deployments[record.ID] = inserted
		default:
			to.Order = s.replaceDeployment(*record)
		}
		to.Revision = from.Revision + 1
		s.releases[to.ProjectID] = append(s.releases[to.ProjectID], to)
		return records.LiveAfter(to), nil
	})
}

func (s *Store) checkMove(from anchor.Live, to anchor.Release) error {
	if err := s.checkOwner(to.ProjectID); err != nil {
		return err
	}
	if revision := int64(len(s.releases[to.ProjectID])); revision != from.Revision {
		return records.PointerMoved(to.ProjectID, revision, from.Revision)
	}
	if d, found := s.deployments[to.Deployment]; !found || d.ProjectID != to.ProjectID {
		return records.NoDeployment(to.Deployment)
	}
	for _, all := range s.releases {
		if slices.ContainsFunc(all, func(r anchor.Release) bool { return r.ID == to.ID }) {
			return records.IDTaken("release", string(to.ID))
		}
	}
	return nil
}

func (s *Store) checkRecord(p anchor.ProjectID, record anchor.Deployment) error {
	stored, found := s.deployments[record.ID]
	switch {
	case record.ProjectID != p:
		return records.ForeignRecord(record.ID, p)
	case record.IsRollback:
		return s.checkInsert(record)
	case !found || stored.ProjectID != p:
		return records.ForeignRecord(record.ID, p)
	case record.Status == anchor.Deploying:
		return records.NoSuchMove(record.ID, anchor.Deploying, record.Status)
	}
	return s.checkUpdate(record, anchor.Deploying)
}

// Releases lists the project's moves, newest first.
func (s *Store) Releases(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error) {
	return callWithFault(ctx, s, "Releases", func() (anchor.List[anchor.Release], error) {
		before, err := records.BeforeRevision(page)
		found := []anchor.Release{}
		for _, r := range slices.Backward(s.releases[p]) {
			if r.Revision < before {
				found = append(found, r)
			}
		}
		return records.Cut(found, page, records.ReleaseCursor), err
	})
}

// LastLive returns the deployment that was live before the current one, or NotFound.
func (s *Store) LastLive(ctx context.Context, p anchor.ProjectID) (anchor.DeploymentID, error) {
	return callWithFault(ctx, s, "LastLive", func() (anchor.DeploymentID, error) {
		id := records.LastLive(func(yield func(anchor.Release) bool) {
			for _, r := range slices.Backward(s.releases[p]) {
				if !yield(r) {
					return
				}
			}
		})
		if id == "" {
			return "", records.NeverLive(p)
		}
		return id, nil
	})
}

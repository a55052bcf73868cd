package memory

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records"
)

func cloneDeployment(d anchor.Deployment) anchor.Deployment {
	d.Functions = maps.Clone(d.Functions)
	return d
}

func cloneDeployments(list []anchor.Deployment) []anchor.Deployment {
	for i := range list {
		list[i] = cloneDeployment(list[i])
	}
	return list
}

// CreateDeployment inserts d: a Conflict when its id is taken, NotFound when its
// project is unknown.
func (s *Store) CreateDeployment(ctx context.Context, d anchor.Deployment) error {
	return changeWithFault(ctx, s, "CreateDeployment", func() error {
		if err := s.checkInsert(d); err != nil {
			return err
		}
		d.Order = s.nextOrder(d.ProjectID)
		s.deployments[d.ID] = cloneDeployment(d)
		return nil
	})
}

func (s *Store) nextOrder(p anchor.ProjectID) int64 {
	s.lastOrder[p]++
	return s.lastOrder[p]
}

// replaceDeployment replaces the stored record and keeps its place in the order of requests.
func (s *Store) replaceDeployment(d anchor.Deployment) int64 {
	d.Order = s.deployments[d.ID].Order
	s.deployments[d.ID] = cloneDeployment(d)
	return d.Order
}

func (s *Store) checkInsert(d anchor.Deployment) error {
	if _, found := s.deployments[d.ID]; found {
		return records.IDTaken("deployment", string(d.ID))
	}
	return s.checkOwner(d.ProjectID)
}

// Deployment returns one deployment or NotFound.
func (s *Store) Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error) {
	return callWithFault(ctx, s, "Deployment", func() (anchor.Deployment, error) {
		d, found := s.deployments[id]
		if !found {
			return d, records.NoDeployment(id)
		}
		return cloneDeployment(d), nil
	})
}

// UpdateDeployment writes d if the stored status is from and d's status is from or a move from
// it, else a Conflict; NotFound when it does not exist.
func (s *Store) UpdateDeployment(ctx context.Context, d anchor.Deployment, from anchor.Status) error {
	return changeWithFault(ctx, s, "UpdateDeployment", func() error {
		if err := s.checkUpdate(d, from); err != nil {
			return err
		}
		s.replaceDeployment(d)
		return nil
	})
}

func (s *Store) checkUpdate(d anchor.Deployment, from anchor.Status) error {
	stored, found := s.deployments[d.ID]
	switch {
	case !found || stored.ProjectID != d.ProjectID:
		return records.NoDeployment(d.ID)
	case stored.Status != from:
		return records.StatusChanged(d.ID, stored.Status, from)
	case d.Status != from && !from.CanMove(d.Status):
		return records.NoSuchMove(d.ID, from, d.Status)
	}
	return nil
}

// filterDeployments returns the deployments that want accepts, the newest of a project first.
func (s *Store) filterDeployments(want func(anchor.Deployment) bool) []anchor.Deployment {
	found := newestFirst(s.deployments, func(_ anchor.DeploymentID, d anchor.Deployment) bool { return want(d) })
	slices.SortFunc(found, func(a, b anchor.Deployment) int {
		return cmp.Or(cmp.Compare(b.ProjectID, a.ProjectID), b.Compare(a))
	})
	return cloneDeployments(found)
}

// Unfinished returns every deployment that has not ended, those of a project together
// and oldest first.
func (s *Store) Unfinished(ctx context.Context) ([]anchor.Deployment, error) {
	return callWithFault(ctx, s, "Unfinished", func() ([]anchor.Deployment, error) {
		found := s.filterDeployments(func(d anchor.Deployment) bool { return !d.Status.Ended() })
		slices.Reverse(found)
		return found, nil
	})
}

// Deployments lists the project's, newest first.
func (s *Store) Deployments(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Deployment], error) {
	return callWithFault(ctx, s, "Deployments", func() (anchor.List[anchor.Deployment], error) {
		before, err := records.BeforeOrder(page)
		found := s.filterDeployments(func(d anchor.Deployment) bool { return d.ProjectID == p && d.Order < before })
		return records.Cut(found, page, records.DeploymentCursor), err
	})
}

// Kept returns the project's deployments that can serve, newest first.
func (s *Store) Kept(ctx context.Context, p anchor.ProjectID) ([]anchor.Deployment, error) {
	return callWithFault(ctx, s, "Kept", func() ([]anchor.Deployment, error) {
		return s.filterDeployments(func(d anchor.Deployment) bool { return d.ProjectID == p && d.CanServe() }), nil
	})
}

// Number returns the deployment's number within its project, the same on every call, or
// NotFound.
func (s *Store) Number(ctx context.Context, id anchor.DeploymentID) (int64, error) {
	return callWithFault(ctx, s, "Number", func() (int64, error) {
		d, found := s.deployments[id]
		if !found {
			return 0, records.NoDeployment(id)
		}
		if s.numbers[id] == 0 {
			s.lastNumber[d.ProjectID]++
			s.numbers[id] = s.lastNumber[d.ProjectID]
		}
		return s.numbers[id], nil
	})
}

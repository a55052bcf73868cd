package project

import (
	"context"
	"errors"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// FinishRemoval removes everything that a retired project has. It cancels the deployments;
// while none is processed it removes what the platform keeps, and the records last. Each step
// is idempotent, so that a call after an error or a crash continues. The error is KindBusy
// while a deployment is processed or the platform still works on the removal. A project that is
// not retired or does not exist stays as it is: removed is false.
func (s *Service) FinishRemoval(ctx context.Context, id anchor.ProjectID) (removed bool, err error) {
	p, err := s.Records.Project(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) || err == nil && !p.Removing {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read project %s: %w", id, err)
	}
	if err := s.Deployments.CancelAll(ctx, id); err != nil {
		return false, fmt.Errorf("cancel the deployments of project %s: %w", p.Slug, err)
	}
	err = s.Deployments.Between(ctx, id, func(ctx context.Context) error { return s.Remover.RemoveProject(ctx, id) })
	if err != nil {
		return false, fmt.Errorf("remove project %s: %w", p.Slug, err)
	}
	// Another process may have been faster.
	if err := s.Records.DeleteProject(ctx, id); err != nil && !errors.Is(err, anchor.ErrNotFound) {
		return false, fmt.Errorf("remove the records of project %s: %w", p.Slug, err)
	}
	return true, nil
}

package project

import (
	"context"
	"errors"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// removalStep is one part of a removal. Each is idempotent, so that a removal that was cut off is
// repeated from its first step.
type removalStep struct {
	name string
	do   func(s *Service, ctx context.Context, p anchor.Project) error
}

// removalSteps are the steps after the project is retired. The records are deleted last: until
// then they show that there is something to remove.
var removalSteps = []removalStep{
	{"remove domains", (*Service).removeDomains},
	{"cancel deployments", (*Service).cancelDeployments},
	{"remove from platform", (*Service).removeFromPlatform},
	{"delete records", (*Service).deleteRecords},
}

// Remove removes the project of an id or slug and everything that belongs to it. The first step
// retires it, durable: nothing can be added to it from then on, and the removal is not taken back.
// What Remove cannot finish, FinishRemovals does. The project exists as Removing until then, which
// is not an error, and Remove may be called again. NotFound for an unknown project.
func (s *Service) Remove(ctx context.Context, idOrSlug string) error {
	p, err := s.Get(ctx, idOrSlug)
	if err != nil {
		return err
	}
	s.BeforeStep("retire")
	if err := s.Records.RetireProject(ctx, p.ID); err != nil {
		return err
	}
	if s.Dispatch != nil {
		if err := s.Dispatch(ctx, p.ID); err != nil {
			s.Log.WarnContext(ctx, "the removal starts with the next scheduled round", "projectId", p.ID, "error", err)
		}
		return nil
	}
	// It continues when the caller has gone.
	_, err = s.FinishRemoval(context.WithoutCancel(ctx), p.ID)
	switch {
	case anchor.KindOf(err) == anchor.KindBusy:
		s.logWaiting(ctx, p.ID, err)
		return nil
	case err != nil:
		return anchor.Failed("remove_failed", "the removal of project %s did not finish", p.Slug).
			Hintf("The server retries automatically. To try now, run: anchor projects rm %s", p.Slug).Because(err)
	}
	return nil
}

// FinishRemoval removes everything that a retired project has. A call after an error or a crash
// continues. The error is KindBusy while domains are still being removed, a deployment is processed
// or the platform still works on the removal. A project that is not retired or does not exist stays
// as it is: removed is false.
func (s *Service) FinishRemoval(ctx context.Context, id anchor.ProjectID) (removed bool, err error) {
	p, err := s.Records.Project(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) || err == nil && !p.Removing {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("read project %s: %w", id, err)
	}
	for _, step := range removalSteps {
		s.BeforeStep(step.name)
		if err := step.do(s, ctx, p); err != nil {
			return false, fmt.Errorf("remove project %s: %s: %w", p.Slug, step.name, err)
		}
	}
	s.Log.InfoContext(ctx, "project removed", "projectId", id, "slug", p.Slug)
	return true, nil
}

// FinishRemovals continues the removal of every retired project. One that has to wait is not an
// error, and an error with one does not stop the others.
func (s *Service) FinishRemovals(ctx context.Context) error {
	var failed error
	for page := (anchor.Page{Limit: anchor.MaxPage}); ; {
		list, err := s.Records.Projects(ctx, page)
		if err != nil {
			return errors.Join(failed, fmt.Errorf("list the projects: %w", err))
		}
		for _, p := range list.Items {
			if !p.Removing {
				continue
			}
			_, err := s.FinishRemoval(ctx, p.ID)
			if anchor.KindOf(err) == anchor.KindBusy {
				s.logWaiting(ctx, p.ID, err)
				continue
			}
			failed = errors.Join(failed, err)
		}
		if page.Cursor = list.Next; page.Cursor == "" {
			return failed
		}
	}
}

func (s *Service) logWaiting(ctx context.Context, p anchor.ProjectID, cause error) {
	s.Log.InfoContext(ctx, "the removal of a project continues later", "projectId", p, "cause", cause.Error())
}

func (s *Service) removeDomains(ctx context.Context, p anchor.Project) error {
	if s.Domains == nil {
		return nil
	}
	return s.Domains.RemoveAll(ctx, p.ID)
}

func (s *Service) cancelDeployments(ctx context.Context, p anchor.Project) error {
	return s.Deployments.CancelAll(ctx, p.ID)
}

func (s *Service) removeFromPlatform(ctx context.Context, p anchor.Project) error {
	return s.Deployments.Exclusive(ctx, p.ID, func(ctx context.Context) error { return s.Remover.RemoveProject(ctx, p.ID) })
}

// deleteRecords succeeds when another process was faster.
func (s *Service) deleteRecords(ctx context.Context, p anchor.Project) error {
	err := s.Records.DeleteProject(ctx, p.ID)
	if errors.Is(err, anchor.ErrNotFound) {
		return nil
	}
	return err
}

package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// RemovedBranch counts what RemoveBranch removed.
type RemovedBranch struct{ Previews, Variables int }

func (r RemovedBranch) String() string {
	text := fmt.Sprintf("previews removed: %d", r.Previews)
	if r.Variables > 0 {
		text += fmt.Sprintf("; variables of the branch removed: %d", r.Variables)
	}
	return text
}

// RemoveBranch removes the environment of a branch that is not the production branch: it ends the
// deployments that have not ended, and removes the previews and the variables that only they have. What
// is live or was live stays.
func (s *Service) RemoveBranch(ctx context.Context, p anchor.ProjectID, branch string) (removed RemovedBranch, err error) {
	unfinished, err := s.unfinishedOf(ctx, p)
	if err != nil {
		return removed, err
	}
	for _, d := range unfinished {
		if d.Branch != branch || !d.NoRelease {
			continue
		}
		if _, err := s.Cancel(ctx, p, d.ID); err != nil && !errors.Is(err, anchor.ErrConflict) {
			return removed, fmt.Errorf("cancel deployment %s: %w", d.ID, err)
		}
	}
	if removed.Variables, err = s.Env.RemoveBranch(ctx, p, branch); err != nil {
		return removed, fmt.Errorf("remove the variables of branch %s: %w", branch, err)
	}
	previews, err := s.Retention.PrunePreviews(ctx, p, branch)
	removed.Previews = len(previews)
	return removed, err
}

// PruneByAge removes the previews that are too old, of all projects that limit their age. A project with
// a deployment under way is left to that deployment, which prunes it at its end. An error does not stop
// the others.
func (s *Service) PruneByAge(ctx context.Context) error {
	var failed error
	for page := (anchor.Page{Limit: anchor.MaxPage}); ; {
		all, err := s.Projects.Projects(ctx, page)
		if err != nil {
			return errors.Join(failed, err)
		}
		for _, p := range all.Items {
			if p.Removing || !s.Retention.HasAge(p) {
				continue
			}
			err := s.Exclusive(ctx, p.ID, func(ctx context.Context) error { return s.pruneSoon(ctx, p.ID) })
			if ctx.Err() != nil {
				return errors.Join(failed, ctx.Err())
			}
			if anchor.KindOf(err) != anchor.KindBusy {
				failed = errors.Join(failed, err)
			}
		}
		if page.Cursor = all.Next; page.Cursor == "" {
			return failed
		}
	}
}

// longestPrune is how long deployments of a project may have to wait for PruneByAge.
const longestPrune = 10 * time.Second

// pruneSoon prunes a project. It does not wait long for the requests on what it removes; the removal
// continues without it, and the platform's next sweep removes what is left.
func (s *Service) pruneSoon(ctx context.Context, p anchor.ProjectID) error {
	ctx, stop := context.WithTimeout(ctx, longestPrune)
	defer stop()
	removed, err := s.Retention.Prune(ctx, p)
	if len(removed) > 0 {
		slog.InfoContext(ctx, "pruned old deployments", "projectId", p, "deployments", removed)
	}
	if errors.Is(err, context.DeadlineExceeded) {
		slog.InfoContext(ctx, "old deployments are removed when their requests have ended", "projectId", p, "error", err)
		return nil
	}
	return err
}

package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Exclusive runs work while no deployment of the project is processed, and keeps any from being
// processed. It waits for a while when one is, or returns a KindBusy error without running work.
// The context of work ends when the right to be alone is lost.
func (s *Service) Exclusive(ctx context.Context, p anchor.ProjectID, work func(context.Context) error) error {
	begun := false
	err := s.Runner.Exclusive(ctx, p, Passes, func(ctx context.Context) error {
		begun = true
		return work(ctx)
	})
	if errors.Is(err, ErrHeld) || !begun && ctx.Err() != nil {
		e := &anchor.Error{Kind: anchor.KindBusy, Code: "deploying", Message: "a deployment of project " + string(p) + " is under way", Err: err}
		return e.Hintf("Try again when it has ended.")
	}
	return err
}

// CancelAll cancels the project's deployments that have not ended, and interrupts their passes in
// this process, which end some time later; Exclusive waits for them. A deployment whose release has
// begun ends as deployed.
func (s *Service) CancelAll(ctx context.Context, p anchor.ProjectID) error {
	unfinished, err := s.unfinishedOf(ctx, p)
	if err != nil {
		return err
	}
	for _, d := range unfinished {
		_, err := s.recordOutcome(ctx, withOutcome(d, anchor.Canceled, "", "its project is being removed"), d.Status)
		if err != nil && !errors.Is(err, anchor.ErrConflict) && !errors.Is(err, anchor.ErrNotFound) {
			return err
		}
		if err := s.stopBuild(ctx, d); err != nil { // it ends by itself, and nobody accepts what it made
			slog.WarnContext(ctx, "the build of a project that is being removed continues", "deploymentId", d.ID, "error", err)
		}
		s.Runner.Cancel(d.ID, ErrCanceled)
	}
	return nil
}

// unfinishedOf lists the deployments of a project that have not ended, as Unfinished does.
func (s *Service) unfinishedOf(ctx context.Context, p anchor.ProjectID) ([]anchor.Deployment, error) {
	all, err := s.Records.Unfinished(ctx)
	if err != nil {
		return nil, fmt.Errorf("list unfinished deployments: %w", err)
	}
	return slices.DeleteFunc(all, func(d anchor.Deployment) bool { return d.ProjectID != p }), nil
}

package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Between does work while no deployment of the project is processed, and keeps any
// from being: a KindBusy error, and nothing done, when one is. work's context ends
// when that right is lost.
func (s *Service) Between(ctx context.Context, p anchor.ProjectID, work func(context.Context) error) error {
	l := &projectLease{renewed: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	renew, release, err := s.Leases.Lease(ctx, leaseKey(p, "deploy"), "between/"+anchor.NewID(), leaseTime)
	if err != nil {
		l.cancel(err)
		if errors.Is(err, anchor.ErrConflict) {
			e := &anchor.Error{Kind: anchor.KindBusy, Code: "deploying", Message: "a deployment of project " + string(p) + " is under way", Err: err}
			return e.Hintf("Try again when it has ended.")
		}
		return fmt.Errorf("take the lease of project %s: %w", p, err)
	}
	l.release = release
	go s.renewLoop(l, "", renew)
	defer l.close(context.WithoutCancel(ctx))
	return work(l.ctx)
}

// CancelAll cancels what of the project has not ended. One whose release has begun
// ends as deployed.
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

// clearUp removes what is left of a deployment that ended without being deployed: its pass may
// have been cut off. The platform's sweep removes what clearUp cannot.
func (s *Service) clearUp(ctx context.Context, d anchor.Deployment) {
	if d.Status == anchor.Deployed || d.CanServe() {
		return
	}
	for pause := shortPause; ; pause = min(2*pause, longPause) {
		err := s.Between(ctx, d.ProjectID, func(ctx context.Context) error { return s.Remover.Remove(ctx, d) })
		if err == nil {
			return
		}
		if anchor.KindOf(err) != anchor.KindBusy {
			slog.ErrorContext(ctx, "remove the resources of an ended deployment; the next sweep tries again", "deploymentId", d.ID, "error", err)
			return
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
	}
}

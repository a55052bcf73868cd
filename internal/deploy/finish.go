package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// ErrCanceled is the cause of the end of a pass whose deployment was canceled.
var ErrCanceled = errors.New("canceled on request")

// withOutcome returns d with the status and the reason that it ends with.
func withOutcome(d anchor.Deployment, as anchor.Status, step, why string) anchor.Deployment {
	d.Status, d.ErrorStep, d.ErrorMessage = as, step, why
	return d
}

// abandonDeployment ends a deployment that no pass works on and removes what it has.
func (s *Service) abandonDeployment(ctx context.Context, next anchor.Deployment, from anchor.Status) (anchor.Deployment, error) {
	ended, err := s.recordOutcome(ctx, next, from)
	if hasLeftovers(ended, err) {
		s.Runner.CleanUp(context.WithoutCancel(ctx), ended, func(ctx context.Context) { s.removeLeftovers(ctx, ended) })
	}
	return ended, err
}

// GiveUp ends a built or half-deployed deployment that no pass could end. why is for the user.
func (s *Service) GiveUp(ctx context.Context, d anchor.Deployment, why string) error {
	slog.ErrorContext(ctx, "deployment given up", "deploymentId", d.ID, "step", "process", "cause", why)
	_, err := s.abandonDeployment(ctx, withOutcome(d, anchor.DeployFailed, "process", why), d.Status)
	return err
}

// hasLeftovers reports whether what an ended deployment has is useless: the deployment failed, or
// its record was deleted with its project. A superseded one that was ready can still be
// promoted.
func hasLeftovers(ended anchor.Deployment, err error) bool {
	return errors.Is(err, anchor.ErrNotFound) || err == nil && !ended.CanServe()
}

// recordOutcome writes how a deployment ended and notifies its watchers. It returns a Conflict
// if the stored status is not one of from. A deployment that has ended already, by another
// process or by an attempt whose answer was lost, keeps that end, which is returned.
func (s *Service) recordOutcome(ctx context.Context, next anchor.Deployment, from ...anchor.Status) (anchor.Deployment, error) {
	err := s.retryRecords(ctx, next.ID, func() error {
		stored, err := s.Records.Deployment(ctx, next.ID)
		switch {
		case err != nil:
			return err
		case stored.Status.Ended():
			next = stored
			return nil
		case !slices.Contains(from, stored.Status):
			return anchor.Conflict("status_changed", "deployment %s is %s, no longer %s", next.ID, stored.Status, from[0])
		}
		return s.Records.UpdateDeployment(ctx, next, stored.Status)
	})
	if err != nil {
		return next, fmt.Errorf("record deployment %s as %s: %w", next.ID, next.Status, err)
	}
	s.appendEvent(context.WithoutCancel(ctx), next.ID, anchor.Event{Phase: anchor.StatusChange, Status: next.Status, Message: next.ErrorMessage})
	return next, nil
}

// recordRetries is the policy for records that fail, for as long as it takes.
var recordRetries = retry.Policy{First: 20 * time.Millisecond, Longest: 5 * time.Second}

// retryRecords calls try until the records accept or refuse. A deployment must not stay
// unfinished because a disk was full for a minute, and the next one of its project cannot begin
// before it ends. The end of ctx or of the service ends the retries with the last error.
func (s *Service) retryRecords(ctx context.Context, id anchor.DeploymentID, try func() error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(s.ctx, stop)()
	var last error
	_ = retry.Do(ctx, recordRetries, func() error { // its error is last, or the end of ctx
		last = try()
		if last == nil || errors.Is(last, anchor.ErrConflict) || errors.Is(last, anchor.ErrNotFound) || errors.Is(last, ErrCanceled) {
			return nil
		}
		if ctx.Err() == nil {
			slog.Error("the records fail; trying again", "deploymentId", id, "error", last)
		}
		return retry.Again(last)
	})
	return last
}

// failPass ends the deployment of a pass with the step that failed and its cause. It does not
// wait for the removal, which lasts as long as requests in flight. It reports whether the records
// accepted the end.
func (r *run) failPass(ctx context.Context, step string, cause error) bool {
	next := withOutcome(r.record, anchor.DeployFailed, step, messageWithHint(cause))
	switch {
	case errors.Is(cause, ErrCanceled):
		next.Status, next.ErrorMessage = anchor.Canceled, ErrCanceled.Error()
	case anchor.CodeOf(cause) == release.SupersededCode:
		next.Status = anchor.Superseded
	}
	ended, err := r.recordOutcome(ctx, next, anchor.Deploying, anchor.Built)
	if hasLeftovers(ended, err) {
		r.background.run(func(ctx context.Context) { r.removeLeftovers(ctx, ended) })
	}
	if err != nil {
		slog.Error("write the end of a deployment", "deploymentId", next.ID, "step", step, "error", err)
		return errors.Is(err, anchor.ErrNotFound)
	}
	if ended.Status == anchor.Deployed && !ended.NoRelease {
		// The pointer moved, but every answer that would have reported it was lost.
		if err := r.Releases.Follow(ctx, ended.ProjectID); err != nil {
			slog.Error("after the release", "deploymentId", ended.ID, "step", step, "error", err)
		}
	}
	return true
}

// messageWithHint is the message with what to do next: the record is all a user may see.
func messageWithHint(err error) string {
	if hint := anchor.HintOf(err); hint != "" {
		return err.Error() + "\n" + hint
	}
	return err.Error()
}

// removeLeftovers leaves a deployment alone that requests may still reach. The sweep removes it
// once all traffic follows the pointer.
func (s *Service) removeLeftovers(ctx context.Context, d anchor.Deployment) {
	if s.MayServe(ctx, d) {
		return
	}
	if err := s.Remover.Remove(ctx, d); err != nil {
		slog.Error("remove what an ended deployment left; the next sweep tries again", "deploymentId", d.ID, "error", err)
	}
}

// MayServe reports whether requests may reach an ended deployment although it is not live: a
// switch of its project failed half-way.
func (s *Service) MayServe(ctx context.Context, d anchor.Deployment) bool {
	live, err := s.Releases.Live(ctx, d.ProjectID)
	if err != nil || live.DividedSince == 0 {
		return false
	}
	slog.WarnContext(ctx, "an ended deployment stays until all traffic reaches the live one", "deploymentId", d.ID, "projectId", d.ProjectID)
	return true
}

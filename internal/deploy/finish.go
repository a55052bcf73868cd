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
)

// errCanceled is the cause of a context that a user's cancel ended.
var errCanceled = errors.New("canceled on request")

// withOutcome returns d with the status and the reason that it ends with.
func withOutcome(d anchor.Deployment, as anchor.Status, step, why string) anchor.Deployment {
	d.Status, d.ErrorStep, d.ErrorMessage = as, step, why
	return d
}

// abandon ends a deployment that no pass works on and removes what it has.
func (s *Service) abandon(ctx context.Context, next anchor.Deployment, from anchor.Status) (anchor.Deployment, error) {
	ended, err := s.recordOutcome(ctx, next, from)
	if leftovers(ended, err) {
		s.runner.cleanUp(context.WithoutCancel(ctx), ended, err == nil)
	}
	return ended, err
}

// leftovers reports whether what an ended deployment has is useless: the deployment failed, or
// its record was deleted with its project. A superseded one that was ready can still be
// promoted.
func leftovers(ended anchor.Deployment, err error) bool {
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
	s.tell(context.WithoutCancel(ctx), next.ID, anchor.Event{Phase: anchor.StatusChange, Status: next.Status, Message: next.ErrorMessage})
	return next, nil
}

// The pauses between two tries at the records.
const (
	shortPause = 10 * time.Millisecond
	longPause  = 5 * time.Second
)

// retryRecords retries until the records accept or refuse. A deployment must not stay
// unfinished because a disk was full for a minute, and its lane cannot continue before it ends.
// The end of ctx or of the service ends the retries.
func (s *Service) retryRecords(ctx context.Context, id anchor.DeploymentID, try func() error) error {
	for pause := shortPause; ; pause = min(2*pause, longPause) {
		err := try()
		if err == nil || errors.Is(err, anchor.ErrConflict) || errors.Is(err, anchor.ErrNotFound) || errors.Is(err, errCanceled) {
			return err
		}
		if ctx.Err() != nil || s.lanes.ctx.Err() != nil {
			return err
		}
		slog.Error("the records fail; trying again", "deploymentId", id, "error", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		case <-s.lanes.ctx.Done():
		}
	}
}

// failPass ends the deployment of a pass with the step that failed and its cause. The lane
// does not wait for the removal, which lasts as long as requests in flight. failPass
// reports whether the records accepted the end.
func (r *run) failPass(ctx context.Context, step string, cause error) bool {
	next := withOutcome(r.record, anchor.DeployFailed, step, describe(cause))
	switch {
	case errors.Is(cause, errCanceled):
		next.Status, next.ErrorMessage = anchor.Canceled, errCanceled.Error()
	case anchor.CodeOf(cause) == release.SupersededCode:
		next.Status = anchor.Superseded
	}
	ended, err := r.recordOutcome(ctx, next, anchor.Deploying, anchor.Built)
	if leftovers(ended, err) {
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

// describe is the message with what to do next: the record is all a user may see.
func describe(err error) string {
	if hint := anchor.HintOf(err); hint != "" {
		return err.Error() + "\n" + hint
	}
	return err.Error()
}

func (s *Service) removeLeftovers(ctx context.Context, d anchor.Deployment) {
	if err := s.Remover.Remove(ctx, d); err != nil {
		slog.Error("remove what an ended deployment left; the next sweep tries again", "deploymentId", d.ID, "error", err)
	}
}

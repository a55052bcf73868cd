package release

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// undo answers a switch that failed after the pointer had moved from before to failed. It moves
// the pointer back, and all traffic with it. record is the one that the release wrote, nil if
// none. The error is switch_failed when everything is as it was, and traffic_divided otherwise.
//
// live is where the pointer stays at failed: when nothing was live before, or when the records
// cannot be written. Its zero value means that it does not stay there.
func (s *Service) undo(ctx context.Context, before, failed anchor.Live, record *anchor.Deployment, cause error) (live anchor.Live, err error) {
	if before.Revision == 0 {
		return failed, s.divide(ctx, failed, failed.Deployment, cause)
	}
	back, err := s.moveBack(ctx, before, failed, record, cause)
	switch {
	case errors.Is(err, anchor.ErrConflict):
		// A newer release has moved the pointer, and moves all traffic to its own deployment.
		return anchor.Live{}, switchFailed(failed.Deployment, cause)
	case err != nil:
		return failed, s.divide(ctx, failed, failed.Deployment, errors.Join(cause, err))
	}
	if err := s.Traffic.Follow(ctx, back); err != nil {
		return anchor.Live{}, s.divide(ctx, back, failed.Deployment, errors.Join(cause, err))
	}
	s.endDivision(ctx, before, back)
	return anchor.Live{}, switchFailed(failed.Deployment, cause)
}

// moveBack writes the undo. When its answer is lost, it reads the pointer to find out whether the
// undo took effect.
func (s *Service) moveBack(ctx context.Context, before, failed anchor.Live, record *anchor.Deployment, cause error) (anchor.Live, error) {
	to := newRelease(anchor.ReleaseUndo, failed, anchor.Deployment{
		ID: before.Deployment, ProjectID: before.ProjectID, Version: before.Version,
	}, failed.Record)
	to.Order, to.Split = before.Order, before.Split
	if record != nil {
		ended := *record
		ended.Status, ended.ErrorStep, ended.ErrorMessage = anchor.DeployFailed, step, describe(cause)
		record = &ended
	}
	back, err := s.Pointer.Undo(ctx, failed, to, record)
	if err == nil {
		return back, nil
	}
	now, unread := s.readPointer(ctx, failed.ProjectID)
	if unread == nil && now.Release == to.ID {
		return now, nil
	}
	return anchor.Live{}, fmt.Errorf("move the live pointer back to deployment %s: %w", before.Deployment, errors.Join(err, unread))
}

// divide records that traffic does not follow live and returns the error that says so.
func (s *Service) divide(ctx context.Context, live anchor.Live, target anchor.DeploymentID, cause error) error {
	since, err := s.divisions().Begin(ctx, live)
	if err != nil {
		slog.ErrorContext(ctx, "a division of traffic is not recorded as a whole", "projectId", live.ProjectID, "error", err)
	}
	return trafficDivided(live, target, since, cause)
}

// followed records how an attempt to make all traffic follow live ended, and returns its error.
func (s *Service) followed(ctx context.Context, live anchor.Live, err error) error {
	if err != nil {
		return s.divide(ctx, live, live.Deployment, err)
	}
	return s.divisions().End(ctx, live)
}

// endDivision records in the record of an earlier release, of which traffic was divided, that the
// release live has ended that.
func (s *Service) endDivision(ctx context.Context, before, live anchor.Live) {
	live.Record, live.DividedSince = before.Record, before.DividedSince
	if err := s.divisions().End(ctx, live); err != nil {
		slog.ErrorContext(ctx, "the end of a division of traffic is not recorded as a whole", "projectId", live.ProjectID, "error", err)
	}
}

func (s *Service) divisions() Divisions { return Divisions{Records: s.Records, Now: s.Now} }

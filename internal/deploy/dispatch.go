package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// ErrUnfinished reports that a pass ran out of time, or did not get its turn, and left the
// deployment for another pass to continue.
var ErrUnfinished = errors.New("the deployment has not ended; process it again")

// errNoTime ends a pass between two steps.
var errNoTime = errors.New("too little time is left to begin another step")

// When a process that has a deadline stops its work, as times before the deadline.
const (
	// lastStep is when no step begins any more.
	lastStep = 30 * time.Second
	// cutOff is when a step that still runs is interrupted; what is left is for the
	// records and for having the rest done elsewhere.
	cutOff = 10 * time.Second
	// giveUp is the age at which a deployment that no pass could end fails.
	giveUp = 24 * time.Hour
)

// resume starts a deployment again unless another process works on its project: that one,
// or the next round, comes to it.
func (s *Service) resume(ctx context.Context, d anchor.Deployment) error {
	_, release, err := s.Leases.Lease(ctx, leaseKey(d.ProjectID, "deploy"), anchor.NewID(), leaseTime)
	if errors.Is(err, anchor.ErrConflict) {
		return nil
	}
	if err == nil {
		err = release(ctx)
	}
	if err != nil {
		return fmt.Errorf("look whether project %s is being deployed: %w", d.ProjectID, err)
	}
	return s.runner.start(ctx, d)
}

// Process runs the pipeline over one built or half-deployed deployment in the caller's
// goroutine and returns once none of its work runs: nil when the deployment has ended, well or
// not, as its record says. It may be called for the same deployment again and at the same time.
// When ctx has a deadline, Process stops early enough before it and returns ErrUnfinished, also
// when its turn in the project does not come.
func (s *Service) Process(ctx context.Context, id anchor.DeploymentID) error {
	d, err := s.Records.Deployment(ctx, id)
	if err != nil {
		return fmt.Errorf("read deployment %s: %w", id, err)
	}
	working, stop := withEarlyDeadline(ctx)
	defer stop()
	switch {
	case d.Status.Ended():
		s.clearUp(working, d)
		return nil
	case !d.Status.CanMove(anchor.DeployFailed): // waits for its artifact
		return anchor.Conflict("not_built", "deployment %s cannot be deployed yet: its status is %s", id, d.Status).
			Hintf("Upload its files first.")
	case time.Since(time.UnixMilli(d.CreatedAt)) > giveUp:
		return s.giveUpAfterADay(ctx, d)
	}
	lease, err := s.acquireLease(working, d)
	if err != nil || lease == nil {
		return err
	}
	defer lease.close(ctx)
	after := &backgroundTasks{ctx: working}
	defer after.Wait()
	r := &run{Service: s, background: after, proceed: func(ctx context.Context) error { return s.checkBeforeStep(ctx, id) }}
	if !s.attempt(lease.ctx, ctx, id, r) {
		return fmt.Errorf("deployment %s: %w", id, ErrUnfinished)
	}
	return nil
}

// withEarlyDeadline returns a context that ends cutOff before ctx does.
func withEarlyDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if deadline, ok := ctx.Deadline(); ok {
		return context.WithDeadline(ctx, deadline.Add(-cutOff))
	}
	return context.WithCancel(ctx)
}

// checkBeforeStep ends a pass for which too little time is left, or whose deployment was
// canceled: a cancel by another process is seen in the record only.
func (s *Service) checkBeforeStep(ctx context.Context, id anchor.DeploymentID) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < lastStep-cutOff {
		return errNoTime
	}
	return s.retryRecords(ctx, id, func() error {
		d, err := s.Records.Deployment(ctx, id)
		if err == nil && d.Status.Ended() {
			err = errCanceled
		}
		return err
	})
}

// giveUpAfterADay ends a deployment that a day of passes could not.
func (s *Service) giveUpAfterADay(ctx context.Context, d anchor.Deployment) error {
	slog.ErrorContext(ctx, "deployment given up", "deploymentId", d.ID, "step", "process", "cause", "no pass ended it within a day")
	_, err := s.abandon(ctx, withOutcome(d, anchor.DeployFailed, "process", "it was not deployed within a day"), d.Status)
	return err
}

package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
)

// errCanceled is the cause of a context that a user's cancel ended.
var errCanceled = errors.New("canceled on request")

// process takes one built or half-deployed deployment to its end. A context that
// ends because the process stops leaves it as it is: the next start goes on.
func (s *Service) process(ctx context.Context, id anchor.DeploymentID) {
	record, err := s.Records.Deployment(ctx, id)
	if err != nil || record.Status.Ended() {
		return
	}
	r := &run{Service: s, record: record}
	step, err := r.pass(ctx)
	if err == nil {
		s.afterwards(ctx, r)
		return
	}
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errCanceled) {
		slog.Info("deployment interrupted; the next start goes on with it", "deployment", id, "step", step)
		return
	}
	r.fail(context.WithoutCancel(ctx), step, err)
}

// pass runs the steps in order and names the one that failed.
func (r *run) pass(ctx context.Context) (failed string, err error) {
	if r.artifact.Project, err = r.Projects.Project(ctx, r.record.ProjectID); err != nil {
		return "check", err
	}
	if r.record.Status == anchor.Built {
		r.record.Status = anchor.Deploying
		if err := r.Records.UpdateDeployment(ctx, r.record, anchor.Built); err != nil {
			return "check", err
		}
		r.tell(ctx, anchor.Event{Phase: anchor.StatusChange, Status: anchor.Deploying})
	}
	r.artifact.Deployment = r.record
	for _, st := range r.steps() {
		if err := r.runStep(ctx, st); err != nil {
			return st.name, err
		}
	}
	r.tell(context.WithoutCancel(ctx), anchor.Event{Phase: anchor.StatusChange, Status: r.record.Status})
	return "", nil
}

func (r *run) runStep(ctx context.Context, st step) error {
	if r.BeforeStep != nil {
		r.BeforeStep(st.name)
	}
	start := time.Now()
	r.tell(ctx, anchor.Event{Step: st.name, Phase: anchor.StepStart})
	note := func(format string, args ...any) {
		r.tell(ctx, anchor.Event{Step: st.name, Phase: anchor.StepNote, Message: fmt.Sprintf(format, args...)})
	}
	err := st.do(r, ctx, note)
	end := anchor.Event{Step: st.name, Phase: anchor.StepEnd, DurationMS: time.Since(start).Milliseconds()}
	if r.released && err != nil {
		// Live has moved; what is left, traffic and cache, heals at the next start.
		slog.Error("after the release", "deployment", r.record.ID, "step", st.name, "error", err)
		err = nil
	}
	if err != nil {
		end.Phase, end.Message = anchor.StepFail, err.Error()
	}
	r.tell(context.WithoutCancel(ctx), end)
	return err
}

// fail ends the deployment with its step and cause and reclaims its disk.
func (r *run) fail(ctx context.Context, step string, cause error) {
	next := r.record
	from := next.Status
	next.ErrorStep, next.ErrorMessage = step, describe(cause)
	switch {
	case errors.Is(cause, errCanceled) || errors.Is(cause, context.Canceled):
		next.Status, next.ErrorMessage = anchor.Canceled, errCanceled.Error()
	case anchor.CodeOf(cause) == release.SupersededCode:
		next.Status = anchor.Superseded
	default:
		next.Status = anchor.DeployFailed
	}
	if err := r.Records.UpdateDeployment(ctx, next, from); err != nil {
		slog.Error("write the end of a deployment", "deployment", next.ID, "status", next.Status, "error", err)
		return
	}
	r.record = next
	r.reclaim(ctx, next)
	r.tell(ctx, anchor.Event{Phase: anchor.StatusChange, Status: next.Status, Message: next.ErrorMessage})
}

// describe is the message with what to do next: the record is all a user may see.
func describe(err error) string {
	if hint := anchor.HintOf(err); hint != "" {
		return err.Error() + "\n" + hint
	}
	return err.Error()
}

func (s *Service) reclaim(ctx context.Context, d anchor.Deployment) {
	if err := s.Remover.Remove(ctx, d); err != nil {
		slog.Error("reclaim the disk of an ended deployment; the next start tries again", "deployment", d.ID, "error", err)
	}
}

// afterwards prunes what the new deployment pushed out of retention.
func (s *Service) afterwards(ctx context.Context, r *run) {
	removed, err := s.Retention.Prune(ctx, r.record.ProjectID)
	if err != nil {
		slog.Error("prune old deployments", "project", r.record.ProjectID, "error", err)
	}
	if len(removed) > 0 {
		slog.Info("pruned old deployments", "project", r.record.ProjectID, "deployments", removed)
	}
}

// tell writes to the journal and wakes the watchers. A journal that fails does
// not fail a deployment: the record is the truth.
func (s *Service) tell(ctx context.Context, id anchor.DeploymentID, e anchor.Event) {
	e.DeploymentID, e.Time = id, time.Now().UnixMilli()
	if _, err := s.Journal.Append(ctx, e); err != nil {
		slog.Warn("write the journal of a deployment", "deployment", id, "error", err)
	}
	s.feed.wake(id)
}

func (r *run) tell(ctx context.Context, e anchor.Event) { r.Service.tell(ctx, r.record.ID, e) }

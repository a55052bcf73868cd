package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// ErrUnfinished reports that a pass left the deployment for another pass to continue.
var ErrUnfinished = errors.New("the deployment has not ended; process it again")

// passOver returns the pass over a deployment for the Runner to run in this process. A context that
// ends because the process stops leaves the deployment as it is: the next start continues it.
func (s *Service) passOver(id anchor.DeploymentID) func(context.Context) {
	return func(ctx context.Context) {
		lasting := context.WithoutCancel(ctx) // a canceled deployment has to be ended too
		s.tryPass(ctx, lasting, id, &run{Service: s, background: &s.removals, mayBegin: func(context.Context) error { return nil }})
	}
}

// RunPass runs one pass over a built or half-deployed deployment in the caller's goroutine, for a
// Runner that has the right to be alone in the project. It returns once none of its work runs:
// nil when the deployment has ended, as its record says, and ErrUnfinished when it has not. The
// steps end with ctx. The records of the end are written, and removals last, until lasting ends.
// mayBegin is called before each step up to the release. When it returns ErrUnfinished, the pass
// ends.
func (s *Service) RunPass(ctx, lasting context.Context, id anchor.DeploymentID, mayBegin func(context.Context) error) error {
	removals := &backgroundTasks{ctx: lasting}
	defer removals.Wait()
	if !s.tryPass(ctx, lasting, id, &run{Service: s, background: removals, mayBegin: mayBegin}) {
		return fmt.Errorf("deployment %s: %w", id, ErrUnfinished)
	}
	return nil
}

// tryPass runs one pass and reports whether the deployment has ended. The steps end with ctx;
// the records are written until lasting ends.
func (s *Service) tryPass(ctx, lasting context.Context, id anchor.DeploymentID, r *run) (ended bool) {
	var record anchor.Deployment
	err := s.retryRecords(lasting, id, func() (err error) {
		record, err = s.Records.Deployment(lasting, id)
		return err
	})
	if err != nil || record.Status.Ended() {
		return err == nil || errors.Is(err, anchor.ErrNotFound)
	}
	r.record = record
	step, err := r.runSteps(ctx)
	switch {
	case err == nil:
		r.pruneRetained()
		return true
	case errors.Is(context.Cause(ctx), ErrCanceled):
		// Whatever the step made of its context's end, this is why it ended.
		return r.failPass(lasting, step, ErrCanceled)
	case ctx.Err() != nil || errors.Is(err, ErrUnfinished):
		slog.InfoContext(lasting, "deployment interrupted; the next pass continues it", "deploymentId", id, "step", step)
		return false
	default:
		return r.failPass(lasting, step, err)
	}
}

// runSteps runs the steps in order and returns the name of the one that failed.
func (r *run) runSteps(ctx context.Context) (failed string, err error) {
	if r.artifact.Project, err = r.Projects.Project(ctx, r.record.ProjectID); err != nil {
		return "check", err
	}
	if r.artifact.Project.Removing {
		return "check", fmt.Errorf("project %s is being removed: %w", r.artifact.Project.Slug, ErrCanceled)
	}
	if r.record.Status == anchor.Built {
		next := r.record
		next.Status = anchor.Deploying
		if err := r.Records.UpdateDeployment(ctx, next, anchor.Built); err != nil {
			return "check", err
		}
		r.record = next
		r.appendEvent(ctx, anchor.Event{Phase: anchor.StatusChange, Status: anchor.Deploying})
	}
	r.artifact.Deployment = r.record
	for _, st := range r.pipelineSteps() {
		if !r.released {
			if err := r.checkBeforeStep(ctx); err != nil {
				return st.name, err
			}
		}
		if err := r.runStep(ctx, st); err != nil {
			return st.name, err
		}
	}
	r.appendEvent(context.WithoutCancel(ctx), anchor.Event{Phase: anchor.StatusChange, Status: r.record.Status})
	return "", nil
}

// checkBeforeStep ends a pass that may not begin another step, or whose deployment was canceled:
// a cancel by another process is seen in the record only.
func (r *run) checkBeforeStep(ctx context.Context) error {
	if err := r.mayBegin(ctx); err != nil {
		return err
	}
	return r.retryRecords(ctx, r.record.ID, func() error {
		d, err := r.Records.Deployment(ctx, r.record.ID)
		if err == nil && d.Status.Ended() {
			err = ErrCanceled
		}
		return err
	})
}

func (r *run) runStep(ctx context.Context, st step) error {
	r.BeforeStep(st.name)
	start := time.Now()
	r.appendEvent(ctx, anchor.Event{Step: st.name, Phase: anchor.StepStart})
	note := func(format string, args ...any) {
		r.appendEvent(ctx, anchor.Event{Step: st.name, Phase: anchor.StepNote, Message: fmt.Sprintf(format, args...)})
	}
	err := st.do(r, ctx, note)
	end := anchor.Event{Step: st.name, Phase: anchor.StepEnd, DurationMS: time.Since(start).Milliseconds()}
	if err != nil {
		end.Phase, end.Message = anchor.StepFail, err.Error()
	}
	r.appendEvent(context.WithoutCancel(ctx), end)
	if r.released && err != nil {
		// The pointer has moved and stays. The platform's reconciler, or the next start, finishes
		// what is left: traffic and cache.
		slog.Error("after the release", "deploymentId", r.record.ID, "step", st.name, "error", err)
		return nil
	}
	return err
}

// pruneRetained removes what the new deployment pushed out of retention. The pass does not wait for it: a
// removal lasts as long as the requests on the old deployment.
func (r *run) pruneRetained() {
	p := r.record.ProjectID
	r.background.run(func(ctx context.Context) {
		removed, err := r.Retention.Prune(ctx, p)
		if err != nil {
			slog.Error("prune old deployments", "projectId", p, "error", err)
		}
		if len(removed) > 0 {
			slog.Info("pruned old deployments", "projectId", p, "deployments", removed)
		}
	})
}

// appendEvent writes to the journal and wakes the watchers. A journal that fails does not fail a
// deployment: the record decides.
func (s *Service) appendEvent(ctx context.Context, id anchor.DeploymentID, e anchor.Event) {
	e.DeploymentID, e.Time = id, time.Now().UnixMilli()
	if _, err := s.Journal.Append(ctx, e); err != nil {
		slog.Warn("write the journal of a deployment", "deploymentId", id, "error", err)
	}
	s.notifier.wakeListeners(id)
	if s.OnEvent != nil {
		s.OnEvent(id, e)
	}
}

func (r *run) appendEvent(ctx context.Context, e anchor.Event) {
	r.Service.appendEvent(ctx, r.record.ID, e)
}

package deploy

import (
	"context"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// runner decides where passes run.
type runner interface {
	// start has the deployment's pass run when the earlier ones of its project have ended.
	// Starting one that waits or runs already does no harm.
	start(ctx context.Context, d anchor.Deployment) error

	// cleanUp removes what an ended deployment has, in the process where passes run. recorded
	// is false when its record was deleted with its project.
	cleanUp(ctx context.Context, ended anchor.Deployment, recorded bool)

	// lookAgain bounds the sleep of a journal's watcher: a pass may have written to it
	// without waking the watcher.
	lookAgain() time.Duration
}

// newRunner returns the runner that the ports describe.
func newRunner(s *Service) runner {
	if s.Dispatch == nil {
		return inProcess{s}
	}
	return elsewhere{s.Dispatch}
}

// inProcess runs passes in the lanes of this process.
type inProcess struct{ *Service }

func (r inProcess) start(_ context.Context, d anchor.Deployment) error {
	r.lanes.add(d)
	return nil
}

func (r inProcess) cleanUp(ctx context.Context, ended anchor.Deployment, _ bool) {
	r.removeLeftovers(ctx, ended)
}

// lookAgain is for a process that was killed when it had ended a deployment.
func (inProcess) lookAgain() time.Duration { return 5 * time.Second }

// elsewhere has other processes call Process.
type elsewhere struct {
	dispatch func(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) error
}

func (r elsewhere) start(ctx context.Context, d anchor.Deployment) error {
	if err := r.dispatch(ctx, d.ProjectID, d.ID); err != nil {
		return anchor.Failed("dispatch_failed", "deployment %s is complete, but its pipeline could not be started", d.ID).
			Hintf("Nothing is lost: finish it again, or wait for the next scheduled run.").Because(err)
	}
	return nil
}

// cleanUp leaves the removal to Process: the caller may have little time and no right to it.
func (r elsewhere) cleanUp(ctx context.Context, ended anchor.Deployment, recorded bool) {
	if !recorded {
		return
	}
	if err := r.dispatch(ctx, ended.ProjectID, ended.ID); err != nil {
		slog.WarnContext(ctx, "what an ended deployment has stays until the next sweep", "deploymentId", ended.ID, "error", err)
	}
}

// lookAgain is short because other processes cannot wake a watcher of this one.
func (elsewhere) lookAgain() time.Duration { return 500 * time.Millisecond }

// soleProcess are the Leases of a process that works alone: its lanes serialize the passes of a
// project.
type soleProcess struct{}

// Lease implements Leases. It is always free.
func (soleProcess) Lease(context.Context, anchor.ProjectID, string, time.Duration) (renew, release func(context.Context) error, err error) {
	held := func(context.Context) error { return nil }
	return held, held, nil
}

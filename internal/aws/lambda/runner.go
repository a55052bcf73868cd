package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Leases keep processes apart.
type Leases interface {
	// Lease makes holder the only one for ttl, which each renew starts again. It returns a
	// Conflict "lease_held" while another holder has the lease of this name. The name begins
	// with a project's id and need not be known otherwise. After a release, or once the ttl is
	// over, others may take it; renew returns a Conflict then. Both may be called again.
	Lease(ctx context.Context, name anchor.ProjectID, holder string, ttl time.Duration) (renew, release func(context.Context) error, err error)
}

// Dispatcher sends the deploy handler an event: to process a deployment or, when d is "", to
// remove a retired project. It may send more events than needed.
type Dispatcher func(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) error

// runner is the deploy.Runner of a process that is one of many: passes run where the deploy
// handler receives their events, and a lease for each project keeps them apart.
type runner struct {
	leases   Leases
	records  deploy.Records
	dispatch Dispatcher
}

var _ deploy.Runner = runner{}

// NewRunner returns the Runner of a process among those that share the leases and the records.
func NewRunner(leases Leases, records deploy.Records, dispatch Dispatcher) deploy.Runner {
	return runner{leases, records, dispatch}
}

// Start implements deploy.Runner. The deploy handler makes the pass of its own process.
func (r runner) Start(ctx context.Context, d anchor.Deployment, _ func(context.Context)) error {
	if err := r.dispatch(ctx, d.ProjectID, d.ID); err != nil {
		return anchor.Failed("dispatch_failed", "deployment %s is complete, but its pipeline could not be started", d.ID).
			Hintf("Nothing is lost: finish it again, or wait for the next scheduled run.").Because(err)
	}
	return nil
}

// Resume implements deploy.Runner.
func (r runner) Resume(ctx context.Context, d anchor.Deployment, pass func(context.Context)) error {
	_, release, err := r.leases.Lease(ctx, leaseName(d.ProjectID, deploy.Passes), anchor.NewID(), leaseTime)
	if errors.Is(err, anchor.ErrConflict) {
		return nil
	}
	if err == nil {
		err = release(ctx)
	}
	if err != nil {
		return fmt.Errorf("check whether project %s is being deployed: %w", d.ProjectID, err)
	}
	return r.Start(ctx, d, pass)
}

// Cancel implements deploy.Runner. A pass sees in its record that it was canceled.
func (runner) Cancel(anchor.DeploymentID, error) bool { return false }

// CleanUp implements deploy.Runner. It leaves the removal to the deploy handler: the caller may
// have little time and no permission. What a deployment left whose record was deleted is removed
// with its project.
func (r runner) CleanUp(ctx context.Context, ended anchor.Deployment, _ func(context.Context)) {
	_, err := r.records.Deployment(ctx, ended.ID)
	if errors.Is(err, anchor.ErrNotFound) {
		return
	}
	if err == nil {
		err = r.dispatch(ctx, ended.ProjectID, ended.ID)
	}
	if err != nil {
		slog.WarnContext(ctx, "what an ended deployment left stays until the next sweep", "deploymentId", ended.ID, "error", err)
	}
}

// Exclusive implements deploy.Runner. It does not wait.
func (r runner) Exclusive(ctx context.Context, p anchor.ProjectID, purpose deploy.Purpose, work func(context.Context) error) error {
	renew, release, err := r.leases.Lease(ctx, leaseName(p, purpose), "exclusive/"+anchor.NewID(), leaseTime)
	if errors.Is(err, anchor.ErrConflict) {
		return fmt.Errorf("%w: %w", deploy.ErrHeld, err)
	}
	if err != nil {
		return fmt.Errorf("take the lease of project %s: %w", p, err)
	}
	l := holdLease(ctx, renew, release, func(context.Context) error { return nil })
	defer l.close(context.WithoutCancel(ctx))
	return work(l.ctx)
}

// WatchInterval implements deploy.Runner. It is short because passes run in other processes.
func (runner) WatchInterval() time.Duration { return 500 * time.Millisecond }

// Close implements deploy.Runner. No pass runs here without the deploy handler waiting for it.
func (runner) Close() {}

package lambda

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

const (
	// leaseTime is for how long a process that was killed keeps its project closed.
	leaseTime = time.Minute
	// renewEvery leaves room for two renewals that fail.
	renewEvery = leaseTime / 4
)

// leaseName is the name of a project's lease for a purpose. The platform has other leases, which
// a pass takes while it holds this one.
func leaseName(p anchor.ProjectID, purpose deploy.Purpose) anchor.ProjectID {
	return p + "/" + anchor.ProjectID(purpose)
}

// errLeaseLost is the cause of a context whose lease could not be renewed.
var errLeaseLost = errors.New("the project's lease was lost")

// projectLease is a lease that is renewed until close.
type projectLease struct {
	ctx     context.Context // ends when the lease is lost or check fails
	cancel  context.CancelCauseFunc
	release func(context.Context) error
	renewed chan struct{} // closed when renewLoop has ended
}

// holdLease renews a lease until it is closed, and calls check after each renewal: the error of
// check is the cause of the end of the lease's context.
func holdLease(ctx context.Context, renew, release, check func(context.Context) error) *projectLease {
	l := &projectLease{release: release, renewed: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	go l.renewLoop(renew, check)
	return l
}

func (l *projectLease) renewLoop(renew, check func(context.Context) error) {
	defer close(l.renewed)
	until := time.Now().Add(leaseTime)
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		err := renew(l.ctx)
		if err == nil {
			until = asked.Add(leaseTime)
		}
		if errors.Is(err, anchor.ErrConflict) || time.Now().Add(renewEvery).After(until) {
			slog.WarnContext(l.ctx, "lost the project's lease", "error", err)
			l.cancel(errLeaseLost)
			return
		}
		if err := check(l.ctx); err != nil {
			l.cancel(err)
			return
		}
	}
}

// close releases the lease for the next holder.
func (l *projectLease) close(ctx context.Context) {
	l.cancel(nil)
	<-l.renewed
	if err := l.release(ctx); err != nil {
		slog.WarnContext(ctx, "release the project's lease; it ends by itself", "error", err)
	}
}

package deploy

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const (
	// leaseTime is for how long a process that was killed keeps its project closed.
	leaseTime = time.Minute
	// renewEvery leaves room for two renewals that fail.
	renewEvery = leaseTime / 4
)

// leaseKey is the name of a project's lease for a purpose. A platform has other leases, which a
// pass takes while it holds this one.
func leaseKey(p anchor.ProjectID, what string) anchor.ProjectID {
	return p + "/" + anchor.ProjectID(what)
}

// projectLease is a pass's right to be the only one of its project.
type projectLease struct {
	ctx     context.Context // ends when the lease is lost or the deployment ended elsewhere
	cancel  context.CancelCauseFunc
	release func(context.Context) error
	renewed chan struct{} // closed when renewLoop has ended
}

// errLeaseLost is the cause of a pass's end whose lease could not be renewed.
var errLeaseLost = errors.New("the project's lease was lost")

// acquireLease waits until no other pass runs in the project. It returns neither a lease nor an
// error when the deployment ended meanwhile, and ErrUnfinished when ctx ends first.
func (s *Service) acquireLease(ctx context.Context, d anchor.Deployment) (*projectLease, error) {
	l := &projectLease{renewed: make(chan struct{})}
	l.ctx, l.cancel = context.WithCancelCause(ctx)
	renew, err := s.waitForLease(ctx, d, l)
	if err != nil || renew == nil {
		l.cancel(err)
		return nil, err
	}
	go s.renewLoop(l, d.ID, renew)
	return l, nil
}

func (s *Service) waitForLease(ctx context.Context, d anchor.Deployment, l *projectLease) (renew func(context.Context) error, err error) {
	holder := string(d.ID) + "/" + anchor.NewID() // two passes of one deployment are two holders
	for pause := shortPause; ; pause = min(2*pause, longPause) {
		renew, l.release, err = s.Leases.Lease(ctx, leaseKey(d.ProjectID, "deploy"), holder, leaseTime)
		if err == nil {
			return renew, nil
		}
		if ctx.Err() != nil {
			return nil, errWaiting(d)
		}
		if !errors.Is(err, anchor.ErrConflict) {
			return nil, fmt.Errorf("take the lease of project %s: %w", d.ProjectID, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, errWaiting(d)
		}
		now, err := s.Records.Deployment(ctx, d.ID)
		if err == nil && now.Status.Ended() || errors.Is(err, anchor.ErrNotFound) {
			return nil, nil
		}
	}
}

func errWaiting(d anchor.Deployment) error {
	return fmt.Errorf("another deployment of project %s runs before %s: %w", d.ProjectID, d.ID, ErrUnfinished)
}

// renewLoop renews the lease and watches for a cancel until the lease is closed.
func (s *Service) renewLoop(l *projectLease, id anchor.DeploymentID, renew func(context.Context) error) {
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
			slog.WarnContext(l.ctx, "lost the project's lease", "deploymentId", id, "error", err)
			l.cancel(errLeaseLost)
			return
		}
		if d, err := s.Records.Deployment(l.ctx, id); err == nil && d.Status.Ended() {
			l.cancel(errCanceled)
			return
		}
	}
}

// close releases the lease for the next pass.
func (l *projectLease) close(ctx context.Context) {
	l.cancel(nil)
	<-l.renewed
	if err := l.release(ctx); err != nil {
		slog.WarnContext(ctx, "release the project's lease; it ends by itself", "error", err)
	}
}

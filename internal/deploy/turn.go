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

// leased names what of a project a lease is for. A platform has leases of its own,
// which a pass meets while it holds this one.
func leased(p anchor.ProjectID, what string) anchor.ProjectID {
	return p + "/" + anchor.ProjectID(what)
}

// turn is a pass's right to be the only one of its project.
type turn struct {
	ctx     context.Context // ends when the right is lost or the deployment ended elsewhere
	cancel  context.CancelCauseFunc
	release func(context.Context) error
	kept    chan struct{} // closed when nothing renews any more
}

// errLostTurn is the cause of a pass's end whose lease could not be renewed.
var errLostTurn = errors.New("the project's lease was lost")

// takeTurn waits until no other pass runs in the project. It gives no turn and no
// error when the deployment ended meanwhile, ErrUnfinished when ctx ends first.
func (s *Service) takeTurn(ctx context.Context, d anchor.Deployment) (*turn, error) {
	t := &turn{kept: make(chan struct{})}
	t.ctx, t.cancel = context.WithCancelCause(ctx)
	if s.Leases == nil {
		close(t.kept)
		return t, nil
	}
	renew, err := s.lease(ctx, d, t)
	if err != nil || renew == nil {
		t.cancel(err)
		return nil, err
	}
	go s.keep(t, d.ID, renew)
	return t, nil
}

func (s *Service) lease(ctx context.Context, d anchor.Deployment, t *turn) (renew func(context.Context) error, err error) {
	holder := string(d.ID) + "/" + anchor.NewID() // two passes of one deployment are two holders
	for pause := shortPause; ; pause = min(2*pause, longPause) {
		renew, t.release, err = s.Leases.Lease(ctx, leased(d.ProjectID, "deploy"), holder, leaseTime)
		if err == nil {
			return renew, nil
		}
		if ctx.Err() != nil {
			return nil, noTurn(d)
		}
		if !errors.Is(err, anchor.ErrConflict) {
			return nil, fmt.Errorf("take the lease of project %s: %w", d.ProjectID, err)
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, noTurn(d)
		}
		now, err := s.Records.Deployment(ctx, d.ID)
		if err == nil && now.Status.Ended() || errors.Is(err, anchor.ErrNotFound) {
			return nil, nil
		}
	}
}

func noTurn(d anchor.Deployment) error {
	return fmt.Errorf("another deployment of project %s runs before %s: %w", d.ProjectID, d.ID, ErrUnfinished)
}

// keep renews the lease and looks for a cancel until the turn ends.
func (s *Service) keep(t *turn, id anchor.DeploymentID, renew func(context.Context) error) {
	defer close(t.kept)
	until := time.Now().Add(leaseTime)
	tick := time.NewTicker(renewEvery)
	defer tick.Stop()
	for {
		select {
		case <-t.ctx.Done():
			return
		case <-tick.C:
		}
		asked := time.Now()
		err := renew(t.ctx)
		if err == nil {
			until = asked.Add(leaseTime)
		}
		if errors.Is(err, anchor.ErrConflict) || time.Now().Add(renewEvery).After(until) {
			slog.WarnContext(t.ctx, "lost the project's lease", "deploymentId", id, "error", err)
			t.cancel(errLostTurn)
			return
		}
		if d, err := s.Records.Deployment(t.ctx, id); err == nil && d.Status.Ended() {
			t.cancel(errCanceled)
			return
		}
	}
}

// end gives the turn to the next.
func (t *turn) end(ctx context.Context) {
	t.cancel(nil)
	<-t.kept
	if t.release == nil {
		return
	}
	if err := t.release(ctx); err != nil {
		slog.WarnContext(ctx, "release the project's lease; it ends by itself", "error", err)
	}
}

package release

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// warmUp bounds how long a promote or rollback waits for its target's functions.
// The target answered its probe when it was deployed, so past this bound the
// switch goes ahead and requests wait for the rest of the cold start instead of
// the caller: a rollback is asked for when live is broken.
const warmUp = 700 * time.Millisecond

// prepared is what a promote or rollback knows before the pointer moves.
type prepared struct {
	target  anchor.Deployment // the one that will serve
	from    anchor.Live       // the pointer
	order   int64             // of this request
	traffic Switch
}

// prepare reads the target while Traffic reads what it can without it, then accepts the
// request and reads the pointer while the target's functions start: where the records are
// a network away, a rollback cannot spare the time to do one after the other.
func (s *Service) prepare(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (prepared, error) {
	var ready prepared
	all, bound := errgroup.WithContext(ctx)
	all.Go(func() (err error) {
		ready.traffic, err = s.prepareTraffic(bound, p, func() (anchor.Deployment, error) {
			target, err := s.target(bound, p, id)
			if err != nil {
				return anchor.Deployment{}, err
			}
			ready.target = target
			all.Go(func() (err error) {
				ready.from, err = s.current(bound, p)
				return err
			})
			all.Go(func() (err error) {
				ready.order, err = s.Pointer.Accept(bound, p)
				return err
			})
			return target, nil
		})
		return err
	})
	return ready, all.Wait()
}

// prepareTraffic returns the switch to the target that find returns. From the moment the
// target is known it waits warmUp at most; past that the Switch is Traffic's Follow.
func (s *Service) prepareTraffic(ctx context.Context, p anchor.ProjectID, find func() (anchor.Deployment, error)) (Switch, error) {
	bounded, end := context.WithCancelCause(ctx)
	defer end(nil)
	var target anchor.Deployment
	next, err := s.Traffic.Prepare(bounded, p, func(context.Context) (found anchor.Deployment, err error) {
		// The bound on the start of the functions is none on the read of the target.
		if found, err = find(); err == nil {
			target = found
			time.AfterFunc(warmUp, func() { end(context.DeadlineExceeded) })
		}
		return found, err
	})
	switch {
	case err == nil:
		return next, nil
	case target.ID == "":
		return nil, err
	case cutOff(err) && errors.Is(context.Cause(bounded), context.DeadlineExceeded) && ctx.Err() == nil:
		return SwitchFunc(s.Traffic.Follow), nil
	}
	return nil, switchFailed(target.ID, err)
}

// cutOff reports whether err is that of a context that ended.
func cutOff(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

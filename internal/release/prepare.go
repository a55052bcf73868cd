package release

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// warmUp bounds how long a promote or rollback waits for its target's functions. The target
// answered its probe when it was deployed, so the switch happens after this bound anyway, and
// requests instead of the caller wait for the rest of the cold start: a rollback is needed when
// live is broken.
const warmUp = 700 * time.Millisecond

// prepared is what a promote or rollback knows before the pointer moves.
type prepared struct {
	target  anchor.Deployment // the one that will serve
	from    anchor.Live       // the pointer
	order   int64             // of this request
	traffic Switch
}

// prepareSwitch reads the target while Traffic reads what it can without it. Then it accepts the
// request and reads the pointer, unless it came with the target, while the target's functions start. Where the records are a
// network away, a rollback has no time to do these one after the other.
func (s *Service) prepareSwitch(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (prepared, error) {
	var ready prepared
	all, bound := errgroup.WithContext(ctx)
	all.Go(func() (err error) {
		ready.traffic, err = s.prepareTraffic(bound, p, func() (anchor.Deployment, error) {
			target, pointer, err := s.findTarget(bound, p, id)
			if err != nil {
				return anchor.Deployment{}, err
			}
			ready.target = target
			if pointer != nil {
				ready.from = *pointer
			} else {
				all.Go(func() (err error) {
					ready.from, err = s.readPointer(bound, p)
					return err
				})
			}
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

// prepareTraffic returns the switch to the target that find returns. Once the target is known
// it waits for warmUp at most; after that it returns a Switch that calls Follow.
func (s *Service) prepareTraffic(ctx context.Context, p anchor.ProjectID, find func() (anchor.Deployment, error)) (Switch, error) {
	bounded, end := context.WithCancelCause(ctx)
	defer end(nil)
	var target anchor.Deployment
	next, err := s.Traffic.Prepare(bounded, p, func(context.Context) (found anchor.Deployment, err error) {
		// The bound on the start of the functions does not bound the read of the target.
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
	case isContextEnd(err) && errors.Is(context.Cause(bounded), context.DeadlineExceeded) && ctx.Err() == nil:
		return SwitchFunc(s.Traffic.Follow), nil
	}
	return nil, switchFailed(target.ID, err)
}

// isContextEnd reports whether err is the error of a context that ended.
func isContextEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

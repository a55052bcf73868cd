package release

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/keylock"
)

// warmUp bounds how long a promote or rollback waits for its target's functions.
// The target answered its probe when it was deployed, so past this bound the
// switch goes ahead and requests wait for the rest of the cold start instead of
// the caller: a rollback is asked for when live is broken.
const warmUp = 700 * time.Millisecond

// Result is what a promote or rollback did.
type Result struct {
	Record          anchor.Deployment // the rollback's own record, or the promoted deployment
	Live            anchor.Live       // the pointer now
	PreviousVersion string            // the version label that was live before, "" if none
	Took            time.Duration     // from the call to traffic moved
}

// Service moves live pointers.
type Service struct {
	Pointer Pointer
	Traffic Traffic
	Records Records

	// Keeps the releases and the pruning of one project apart, as Traffic asks for. Those of
	// other processes it cannot: the pointer's revision makes them harmless.
	projects keylock.Locks[anchor.ProjectID]
}

// GoLive makes record, a deployment that has passed its probe, live and writes it
// as deployed in the same transaction. It fails with Superseded when a newer
// request has moved the pointer. With an error and a pointer it is live, but
// traffic does not follow yet.
func (s *Service) GoLive(ctx context.Context, record anchor.Deployment) (anchor.Live, error) {
	defer s.projects.Lock(record.ProjectID)()
	live, err := s.goLive(ctx, record)
	if err != nil {
		return anchor.Live{}, err
	}
	if err := s.Traffic.Route(ctx, live); err != nil {
		return live, notFollowed(live, err)
	}
	return live, nil
}

func (s *Service) goLive(ctx context.Context, record anchor.Deployment) (anchor.Live, error) {
	for {
		from, err := s.current(ctx, record.ProjectID)
		if err != nil {
			return anchor.Live{}, err
		}
		if from.Order > record.Order {
			return anchor.Live{}, supersededBy(from, record.ID)
		}
		to := newRelease(anchor.ReleaseDeploy, from, record, record.ID)
		live, err := s.move(ctx, from, to, &record)
		if !errors.Is(err, anchor.ErrConflict) {
			return live, err
		}
		now, unread := s.current(ctx, record.ProjectID)
		if unread != nil || now.Revision == from.Revision {
			return anchor.Live{}, err
		}
		// Another process released first; which of the two was asked for later decides.
	}
}

// Follow makes traffic follow the pointer: for a release whose answer was lost.
func (s *Service) Follow(ctx context.Context, p anchor.ProjectID) error {
	defer s.projects.Lock(p)()
	live, err := s.current(ctx, p)
	if err != nil || live.Revision == 0 {
		return err
	}
	return s.Traffic.Route(ctx, live)
}

// Promote makes an earlier deployment of the project live again, or one that was
// deployed without going live, or superseded when it was ready to.
func (s *Service) Promote(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (Result, error) {
	return s.turnTo(ctx, p, id, anchor.ReleasePromote, func(target anchor.Deployment, _ anchor.Live) *anchor.Deployment {
		return nil
	})
}

// Rollback makes the target live and writes a new deployment record that tells of
// it. An empty target means the deployment that was live before this one.
func (s *Service) Rollback(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (Result, error) {
	if id == "" {
		before, err := s.before(ctx, p)
		if err != nil {
			return Result{}, err
		}
		id = before
	}
	return s.turnTo(ctx, p, id, anchor.ReleaseRollback, rollbackRecord)
}

// turnTo is what promote and rollback share; record gives the record to insert.
func (s *Service) turnTo(
	ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, kind anchor.ReleaseKind,
	record func(target anchor.Deployment, from anchor.Live) *anchor.Deployment,
) (Result, error) {
	start := time.Now()
	defer s.projects.Lock(p)()
	target, err := s.expectTarget(ctx, p, id)
	if err != nil {
		return Result{}, err
	}
	from, order, err := s.warmAndLook(ctx, target)
	if err != nil {
		return Result{}, err
	}
	rec := record(target, from)
	named := target
	if rec != nil {
		named = *rec
	}
	// From here on a caller that goes away must not leave pointer and traffic apart.
	ctx = context.WithoutCancel(ctx)
	to := newRelease(kind, from, target, named.ID)
	to.Order = order
	live, err := s.move(ctx, from, to, rec)
	if err != nil {
		return Result{}, err
	}
	if rec != nil {
		named.Order = live.Order
	}
	if err := s.Traffic.Route(ctx, live); err != nil {
		return Result{}, notFollowed(live, err)
	}
	return Result{Record: named, Live: live, PreviousVersion: from.Version, Took: time.Since(start)}, nil
}

// expectTarget reads the target and has Traffic prepare meanwhile: a process that knows
// nothing of the project yet would look it up after the read, while live is broken.
func (s *Service) expectTarget(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (target anchor.Deployment, err error) {
	both, bound := errgroup.WithContext(ctx)
	both.Go(func() error {
		bounded, cancel := context.WithTimeout(bound, warmUp)
		defer cancel()
		s.Traffic.Expect(bounded, p)
		return nil
	})
	both.Go(func() (err error) {
		target, err = s.target(bound, p, id)
		return err
	})
	return target, both.Wait()
}

// target gives the deployment that serves for id, and refuses what cannot serve.
func (s *Service) target(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (anchor.Deployment, error) {
	d, err := s.Records.Deployment(ctx, id)
	if err == nil && d.ProjectID == p && d.IsRollback {
		d, err = s.Records.Deployment(ctx, d.RollbackTo)
	}
	if errors.Is(err, anchor.ErrNotFound) || err == nil && d.ProjectID != p {
		return anchor.Deployment{}, anchor.NotFound("unknown_deployment", "this project has no deployment %s", id).
			Hintf("`anchor deployments` lists those it has.")
	}
	switch {
	case err != nil:
		return anchor.Deployment{}, fmt.Errorf("read deployment %s: %w", id, err)
	case d.PrunedAt != 0:
		return anchor.Deployment{}, anchor.Conflict("pruned", "deployment %s was removed by retention", id).
			Hintf("Deploy %s again, or choose a deployment that is kept: `anchor deployments`.", sourceOf(d))
	case !d.CanServe():
		return anchor.Deployment{}, anchor.Conflict("never_deployed", "deployment %s was never deployed: it is %s", id, d.Status).
			Hintf("Choose one whose status is deployed or superseded: `anchor deployments`.")
	}
	return d, nil
}

// sourceOf names what a deployment was made of; one made outside of Git has no commit.
func sourceOf(d anchor.Deployment) string {
	if d.CommitSha == "" {
		return "its build"
	}
	return "commit " + d.CommitSha
}

// warmAndLook warms the target up, and meanwhile has the request accepted and reads the
// pointer: where the records are a network away, a rollback cannot spare the time to do
// one after the other.
func (s *Service) warmAndLook(ctx context.Context, target anchor.Deployment) (from anchor.Live, order int64, err error) {
	all, bound := errgroup.WithContext(ctx)
	all.Go(func() error {
		if err := s.warm(bound, target); err != nil {
			return switchFailed(target.ID, err)
		}
		return nil
	})
	all.Go(func() (err error) {
		from, err = s.current(bound, target.ProjectID)
		return err
	})
	all.Go(func() (err error) {
		order, err = s.Pointer.Accept(bound, target.ProjectID)
		return err
	})
	return from, order, all.Wait()
}

func (s *Service) warm(ctx context.Context, target anchor.Deployment) error {
	bounded, cancel := context.WithTimeout(ctx, warmUp)
	defer cancel()
	err := s.Traffic.Ready(bounded, target)
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
		return nil
	}
	return err
}

// current gives the pointer, or its zero value before the first release.
func (s *Service) current(ctx context.Context, p anchor.ProjectID) (anchor.Live, error) {
	live, err := s.Pointer.Live(ctx, p)
	if errors.Is(err, anchor.ErrNotFound) {
		return anchor.Live{ProjectID: p}, nil
	}
	if err != nil {
		return anchor.Live{}, fmt.Errorf("read the live pointer of project %s: %w", p, err)
	}
	return live, nil
}

// move does the compare-and-swap. When its answer is lost it looks whether the
// move took effect, as nothing else tells.
func (s *Service) move(ctx context.Context, from anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error) {
	live, err := s.Pointer.Move(ctx, from, to, record)
	if err == nil {
		return live, nil
	}
	now, unread := s.current(ctx, to.ProjectID)
	switch {
	case unread != nil:
		return anchor.Live{}, switchUnknown(to.Deployment, errors.Join(err, unread))
	case now.Release == to.ID:
		return now, nil
	}
	return anchor.Live{}, switchFailed(to.Deployment, fmt.Errorf("move the live pointer: %w", err))
}

// before finds what served before the deployment that serves now.
func (s *Service) before(ctx context.Context, p anchor.ProjectID) (anchor.DeploymentID, error) {
	id, err := s.Records.LastLive(ctx, p)
	if errors.Is(err, anchor.ErrNotFound) {
		return "", anchor.Conflict("nothing_before", "no other deployment of this project was ever live").
			Hintf("Name the deployment to go to: `anchor rollback ID`.")
	}
	if err != nil {
		return "", fmt.Errorf("find what was live before in project %s: %w", p, err)
	}
	return id, nil
}

// Live gives the live pointer or ErrNotFound.
func (s *Service) Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error) {
	return s.Pointer.Live(ctx, p)
}

// List gives the releases of a project, newest first.
func (s *Service) List(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error) {
	return s.Records.Releases(ctx, p, page)
}

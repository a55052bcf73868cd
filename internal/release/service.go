package release

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/keylock"
)

// Result is what a promote or rollback did.
type Result struct {
	Record          anchor.Deployment // the rollback's own record, or the promoted deployment
	Live            anchor.Live       // the pointer now
	PreviousVersion string            // the version label that was live before, "" if none
	Took            time.Duration     // from the call to traffic moved
}

// Ports are the dependencies of the use-case.
type Ports struct {
	Pointer Pointer
	Traffic Traffic
	Records Records
}

// Options tune the use-case. The zero value is ready for production.
type Options struct {
	Now func() time.Time // time.Now when nil
	// Purge is deploy.Assets.Purge, which Promote and Rollback call after their switch; nil where
	// there is nothing to purge. Its failure does not undo the switch.
	Purge func(ctx context.Context, live anchor.Live) error
	// OnSplit, when not nil, is called when the pointer has moved to a split and traffic does not follow yet.
	OnSplit func(live anchor.Live)
}

// Service moves live pointers. It must not be copied.
type Service struct {
	Ports
	Options

	// Serializes the releases and the pruning of one project. It does not cover other
	// processes: the pointer's revision makes those harmless.
	projects keylock.Locks[anchor.ProjectID]
}

// New returns the use-case over its ports.
func New(p Ports, o Options) *Service {
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{Ports: p, Options: o}
}

// GoLive makes record, a deployment that has passed its probe, live and writes it as deployed
// in the same transaction. It fails with Superseded when a newer request has moved the pointer.
//
// When traffic does not follow, GoLive moves the pointer and all traffic back, and writes the
// record as deploy_failed. The error's code is DividedCode when some requests reach the wrong
// deployment after that. When GoLive returns an error and a pointer, the deployment is live in the
// records: nothing was live before it, or the records could not be written again.
func (s *Service) GoLive(ctx context.Context, record anchor.Deployment) (anchor.Live, error) {
	defer s.projects.Lock(record.ProjectID)()
	from, live, err := s.goLive(ctx, record)
	if err != nil {
		return anchor.Live{}, err
	}
	if err := s.Traffic.Follow(ctx, live); err != nil {
		return s.undo(ctx, from, live, &record, err)
	}
	s.endDivision(ctx, from, live)
	return live, nil
}

// goLive moves the pointer and returns it as it was before and as it is.
func (s *Service) goLive(ctx context.Context, record anchor.Deployment) (from, live anchor.Live, err error) {
	for {
		from, err := s.readPointer(ctx, record.ProjectID)
		if err != nil {
			return from, anchor.Live{}, err
		}
		if from.Order > record.Order {
			return from, anchor.Live{}, supersededBy(from, record.ID)
		}
		to := newRelease(anchor.ReleaseDeploy, from, record, record.ID)
		to.ForceReload = record.ForceReload
		if record.Split != nil && from.Deployment != "" {
			Splitting(*record.Split)(&request{Release: &to})
			if err := s.divideTraffic(ctx, &to, from, record); err != nil {
				return from, anchor.Live{}, err
			}
		}
		endSplit(&to, from)
		live, err := s.movePointer(ctx, from, to, &record)
		if !errors.Is(err, anchor.ErrConflict) {
			return from, live, err
		}
		now, unread := s.readPointer(ctx, record.ProjectID)
		if unread != nil || now.Revision == from.Revision {
			return from, anchor.Live{}, err
		}
		// Another process released first; the order of the two requests decides.
	}
}

// Follow makes traffic follow the pointer: for a release whose answer was lost.
func (s *Service) Follow(ctx context.Context, p anchor.ProjectID) error {
	defer s.projects.Lock(p)()
	live, err := s.readPointer(ctx, p)
	if err != nil || live.Revision == 0 {
		return err
	}
	return s.followed(ctx, live, s.Traffic.Follow(ctx, live))
}

// Promote makes an earlier deployment of the project live again, or one that was
// deployed without going live, or superseded when it was ready to.
func (s *Service) Promote(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, options ...Option) (Result, error) {
	return s.switchTo(ctx, p, id, anchor.ReleasePromote, func(target anchor.Deployment, _ anchor.Live) *anchor.Deployment {
		return nil
	}, options)
}

// Rollback makes the target live and writes a new deployment record that describes the
// rollback. When traffic does not follow, it is undone as GoLive is. An empty target means the deployment that was live before the current one,
// and during a split the live one itself: then it is CancelSplit, and no record is written.
func (s *Service) Rollback(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, options ...Option) (Result, error) {
	if id == "" {
		if live, err := s.readPointer(ctx, p); err == nil && live.Split != nil {
			return s.CancelSplit(ctx, p, options...)
		}
		previous, err := s.previousLive(ctx, p)
		if err != nil {
			return Result{}, err
		}
		id = previous
	}
	return s.switchTo(ctx, p, id, anchor.ReleaseRollback, rollbackRecord, options)
}

// switchTo is the common part of promote and rollback; record returns the record to insert.
func (s *Service) switchTo(
	ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, kind anchor.ReleaseKind,
	record func(target anchor.Deployment, from anchor.Live) *anchor.Deployment, options []Option,
) (Result, error) {
	start := s.Now()
	defer s.projects.Lock(p)()
	ready, err := s.prepareSwitch(ctx, p, id)
	if err != nil {
		return Result{}, err
	}
	rec := record(ready.target, ready.from)
	named := ready.target
	if rec != nil {
		named = *rec
	}
	// From here on the end of the caller must not separate pointer and traffic.
	ctx = context.WithoutCancel(ctx)
	to := newRelease(kind, ready.from, ready.target, named.ID)
	to.Order = ready.order
	asked := request{Release: &to}
	for _, option := range options {
		option(&asked)
	}
	if rec != nil {
		rec.CreatedBy = asked.by
		named = *rec
	}
	if err := s.divideTraffic(ctx, &to, ready.from, ready.target); err != nil {
		return Result{}, err
	}
	if to.Split != nil {
		ready.traffic = SwitchFunc(s.Traffic.Follow) // what Prepare has read is for all traffic
	}
	endSplit(&to, ready.from)
	live, err := s.movePointer(ctx, ready.from, to, rec)
	if err != nil {
		return Result{}, err
	}
	if rec != nil {
		named.Order = live.Order
	}
	if err := ready.traffic.Commit(ctx, live); err != nil {
		written := rec
		if rec != nil {
			written = &named
		}
		_, err := s.undo(ctx, ready.from, live, written, err)
		return Result{}, err
	}
	s.endDivision(ctx, ready.from, live)
	took := s.Now().Sub(start)
	s.purge(ctx, live)
	return Result{Record: named, Live: live, PreviousVersion: ready.from.Version, Took: took}, nil
}

// purgeWait bounds how long the caller of a switch waits for a purge. The platform's reconciler
// repeats one that did not succeed.
const purgeWait = 3 * time.Second

func (s *Service) purge(ctx context.Context, live anchor.Live) {
	if s.Purge == nil {
		return
	}
	ctx, done := context.WithTimeout(ctx, purgeWait)
	defer done()
	if err := s.Purge(ctx, live); err != nil {
		slog.WarnContext(ctx, "the edge may show cached pages of the deployment before", "projectId", live.ProjectID, "error", err)
	}
}

// findTarget returns the deployment that serves for id, and refuses one that cannot serve. It returns the
// project's pointer, too, where the records have read it at the same time.
func (s *Service) findTarget(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID) (d anchor.Deployment, pointer *anchor.Live, err error) {
	if both, ok := s.Records.(SwitchReader); ok {
		pointer = &anchor.Live{}
		d, *pointer, err = both.SwitchRecords(ctx, p, id)
	} else {
		d, err = s.Records.Deployment(ctx, id)
	}
	if err == nil && d.ProjectID == p && d.IsRollback {
		d, err = s.Records.Deployment(ctx, d.RollbackTo)
	}
	d, err = checkTarget(p, id, d, err)
	return d, pointer, err
}

// checkTarget refuses a deployment of another project, and one that cannot serve. err is that of reading it.
func checkTarget(p anchor.ProjectID, id anchor.DeploymentID, d anchor.Deployment, err error) (anchor.Deployment, error) {
	if errors.Is(err, anchor.ErrNotFound) || err == nil && d.ProjectID != p {
		return anchor.Deployment{}, anchor.NotFound("unknown_deployment", "this project has no deployment %s", id).
			Hintf("To list its deployments, run `anchor deployments`.")
	}
	switch {
	case err != nil:
		return anchor.Deployment{}, fmt.Errorf("read deployment %s: %w", id, err)
	case d.PrunedAt != 0:
		return anchor.Deployment{}, anchor.Conflict("pruned", "deployment %s is no longer kept: its files were pruned", id).
			Hintf("Deploy %s again, or choose a kept deployment from `anchor deployments`.", sourceOf(d))
	case d.Fork:
		return anchor.Deployment{}, anchor.Conflict("fork", "deployment %s was built from a fork, without the project's variables, and cannot go live", id).
			Hintf("Merge the pull request; the merged commit is built and goes live.")
	case !d.CanServe():
		return anchor.Deployment{}, anchor.Conflict("never_deployed", "deployment %s cannot go live: its status is %s", id, d.Status).
			Hintf("Choose one whose status is deployed or superseded from `anchor deployments`.")
	}
	return d, nil
}

// sourceOf describes what a deployment was made of; one made outside of Git has no commit.
func sourceOf(d anchor.Deployment) string {
	if d.CommitSha == "" {
		return "its build"
	}
	return "commit " + d.CommitSha
}

// readPointer returns the pointer, or its zero value before the first release.
func (s *Service) readPointer(ctx context.Context, p anchor.ProjectID) (anchor.Live, error) {
	live, err := s.Pointer.Live(ctx, p)
	if errors.Is(err, anchor.ErrNotFound) {
		return anchor.Live{ProjectID: p}, nil
	}
	if err != nil {
		return anchor.Live{}, fmt.Errorf("read the live pointer of project %s: %w", p, err)
	}
	return live, nil
}

func (s *Service) noteSplit(live anchor.Live) anchor.Live {
	if live.Split != nil && s.OnSplit != nil {
		s.OnSplit(live)
	}
	return live
}

// movePointer does the compare-and-swap. When its answer is lost, it reads the pointer to find out
// whether the move took effect.
func (s *Service) movePointer(ctx context.Context, from anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error) {
	live, err := s.Pointer.Move(ctx, from, to, record)
	if err == nil {
		return s.noteSplit(live), nil
	}
	now, unread := s.readPointer(ctx, to.ProjectID)
	switch {
	case unread != nil:
		return anchor.Live{}, switchUnknown(to.Deployment, errors.Join(err, unread))
	case now.Release == to.ID:
		return s.noteSplit(now), nil
	}
	return anchor.Live{}, switchFailed(to.Deployment, fmt.Errorf("move the live pointer: %w", err))
}

// previousLive returns the deployment that served before the current one.
func (s *Service) previousLive(ctx context.Context, p anchor.ProjectID) (anchor.DeploymentID, error) {
	id, err := s.Records.LastLive(ctx, p)
	if errors.Is(err, anchor.ErrNotFound) {
		return "", anchor.Conflict("nothing_before", "no other deployment of this project was live before").
			Hintf("Pass the deployment to roll back to: `anchor rollback ID`.")
	}
	if err != nil {
		return "", fmt.Errorf("find what was live before in project %s: %w", p, err)
	}
	return id, nil
}

// Live returns the live pointer. Before the first release it is NotFound.
func (s *Service) Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error) {
	live, err := s.Pointer.Live(ctx, p)
	if errors.Is(err, anchor.ErrNotFound) {
		return anchor.Live{}, anchor.NotFound("never_live", "no deployment of this project was ever live").
			Hintf("Deploy one with: anchor deploy").Because(err)
	}
	return live, err
}

// List returns the releases of a project, newest first.
func (s *Service) List(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error) {
	return s.Records.Releases(ctx, p, page)
}

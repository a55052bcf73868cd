package release

import (
	"context"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Splitting makes the deployment of a promote get a share of the traffic, and not all of it.
func Splitting(plan anchor.SplitPlan) Option {
	return func(r *request) { r.Split = &anchor.Split{SplitPlan: plan} }
}

// divideTraffic turns a release with a Split, which names serving as its deployment, into one that leaves the
// live deployment live. A release without a Split stays as it is.
func (s *Service) divideTraffic(ctx context.Context, to *anchor.Release, from anchor.Live, serving anchor.Deployment) error {
	if to.Split == nil {
		return nil
	}
	plan := to.Split.SplitPlan
	if err := CheckSplit(plan, to.ForceReload); err != nil {
		return err
	}
	switch from.Deployment {
	case "":
		return anchor.Conflict("nothing_live", "no deployment is live that deployment %s could share the traffic with", serving.ID).
			Hintf("To make it live, run `anchor promote %s`.", serving.ID)
	case serving.ID:
		return anchor.Conflict("already_live", "deployment %s is live and gets all traffic that no other deployment has", serving.ID).
			Hintf("Choose another deployment from `anchor deployments`. To end a split, run `anchor promote --cancel`.")
	}
	if !plan.Sticky {
		sticky, err := s.needsSticky(ctx, from, serving)
		if err != nil {
			return err
		}
		plan.Sticky = sticky
	}
	split := anchor.NewSplit(plan, serving, s.Now())
	if before := from.Split; before != nil && before.Deployment == serving.ID {
		split.StartedAt = before.StartedAt
	}
	to.Split = &split
	to.Deployment, to.Version, to.Record = from.Deployment, from.Version, serving.ID
	return nil
}

// CheckSplit refuses a plan that a release could not follow.
func CheckSplit(plan anchor.SplitPlan, forceReload bool) error {
	if forceReload {
		return anchor.Invalid("bad_split", "open tabs cannot be made to reload while the traffic is divided").
			Hintf("Leave one of the two out. When the deployment is live, `anchor promote ID --force-reload` makes tabs reload.")
	}
	return anchor.CheckSplitPlan(plan)
}

// needsSticky reports whether requests of one page cannot be told from those of the other version's: pages
// without an id, or with the same one, do not say which version they are of.
func (s *Service) needsSticky(ctx context.Context, from anchor.Live, serving anchor.Deployment) (bool, error) {
	live, err := s.Records.Deployment(ctx, from.Deployment)
	if err != nil {
		return false, fmt.Errorf("read deployment %s: %w", from.Deployment, err)
	}
	return live.SkewID == "" || serving.SkewID == "" || live.SkewID == serving.SkewID, nil
}

// endSplit records in a release how it ends the split before it, if it does.
func endSplit(to *anchor.Release, from anchor.Live) {
	before := from.Split
	if before == nil || to.Split != nil && to.Split.Deployment == before.Deployment || to.Ended != nil {
		return
	}
	end := anchor.SplitEnd{Deployment: before.Deployment, Version: before.Version, Weight: before.Weight, Reason: anchor.SplitReplaced}
	switch {
	case to.Split != nil:
	case to.Deployment == before.Deployment:
		end.Reason = anchor.SplitCompleted
	case to.Deployment == from.Deployment:
		end.Reason = anchor.SplitCanceled
	}
	to.Ended = &end
}

// CancelSplit returns all traffic to the live deployment. A deployment that was accepted before this
// request and has not ended does not go live any more, as with Rollback.
func (s *Service) CancelSplit(ctx context.Context, p anchor.ProjectID, options ...Option) (Result, error) {
	start := s.Now()
	defer s.projects.Lock(p)()
	from, err := s.readPointer(ctx, p)
	if err != nil {
		return Result{}, err
	}
	if from.Split == nil {
		return Result{}, noSplit()
	}
	order, err := s.Pointer.Accept(ctx, p)
	if err != nil {
		return Result{}, err
	}
	live, err := s.stay(ctx, from, func(to *anchor.Release) {
		to.Order = order
		for _, option := range options {
			option(&request{Release: to})
		}
	})
	if err != nil {
		return Result{}, err
	}
	took := s.Now().Sub(start)
	s.purge(context.WithoutCancel(ctx), live)
	record, err := s.Records.Deployment(ctx, live.Deployment)
	if err != nil {
		return Result{}, fmt.Errorf("read deployment %s: %w", live.Deployment, err)
	}
	return Result{Record: record, Live: live, PreviousVersion: from.Split.Version, Took: took}, nil
}

func noSplit() error {
	return anchor.Conflict("no_split", "the traffic of this project is not divided between two deployments").
		Hintf("To see what is live, run `anchor status`. To divide the traffic, run `anchor promote ID --weight 10`.")
}

// stay ends the split of from with all traffic at its deployment. change is called before the pointer
// moves.
func (s *Service) stay(ctx context.Context, from anchor.Live, change func(*anchor.Release)) (anchor.Live, error) {
	stable := anchor.Deployment{ID: from.Deployment, ProjectID: from.ProjectID, Version: from.Version}
	to := newRelease(anchor.ReleaseShift, from, stable, stable.ID)
	to.Order = from.Order
	change(&to)
	return s.shift(ctx, from, to)
}

// shift moves the pointer of a split, and traffic with it, between deployments that both serve already.
func (s *Service) shift(ctx context.Context, from anchor.Live, to anchor.Release) (anchor.Live, error) {
	endSplit(&to, from)
	ctx = context.WithoutCancel(ctx)
	live, err := s.movePointer(ctx, from, to, nil)
	if err != nil {
		return anchor.Live{}, err
	}
	if err := s.Traffic.Follow(ctx, live); err != nil {
		_, err := s.undo(ctx, from, live, nil, err)
		return anchor.Live{}, err
	}
	s.endDivision(ctx, from, live)
	return live, nil
}

// Advance takes the next step of a split, if the pointer is still where the split was seen at live. With the
// last step the other deployment becomes the live one. evidence is what was seen until then; nil for
// nothing.
//
// The steps of a split have the order of the request that began it: a deployment that was accepted since then
// goes live all the same, and ends the split.
func (s *Service) Advance(ctx context.Context, live anchor.Live, evidence *anchor.Evidence) error {
	return s.change(ctx, live, func(from anchor.Live, split anchor.Split) (anchor.Live, error) {
		next, complete := split.NextStep(s.Now())
		to := newRelease(anchor.ReleaseShift, from, anchor.Deployment{ID: from.Deployment, ProjectID: from.ProjectID, Version: from.Version}, split.Deployment)
		to.Order, to.Split = from.Order, &next
		if complete {
			to.Deployment, to.Version, to.Split = split.Deployment, split.Version, nil
			endSplit(&to, from)
			to.Ended.Evidence = evidence
		}
		return s.shift(ctx, from, to)
	})
}

// Return ends a split because the other deployment is worse than the live one.
func (s *Service) Return(ctx context.Context, live anchor.Live, evidence anchor.Evidence) error {
	return s.change(ctx, live, func(from anchor.Live, _ anchor.Split) (anchor.Live, error) {
		return s.stay(ctx, from, func(to *anchor.Release) {
			endSplit(to, from)
			to.Ended.Reason, to.Ended.Evidence = anchor.SplitRegressed, &evidence
		})
	})
}

// change calls do with the split of a project, unless the pointer has moved since it was seen at live.
func (s *Service) change(ctx context.Context, live anchor.Live, do func(anchor.Live, anchor.Split) (anchor.Live, error)) error {
	defer s.projects.Lock(live.ProjectID)()
	from, err := s.readPointer(ctx, live.ProjectID)
	if err != nil || from.Revision != live.Revision || from.Split == nil {
		return err
	}
	now, err := do(from, *from.Split)
	if err != nil {
		return err
	}
	s.purge(context.WithoutCancel(ctx), now)
	return nil
}

// Split returns the pointer of a project whose traffic is divided, else NotFound.
func (s *Service) Split(ctx context.Context, p anchor.ProjectID) (anchor.Live, error) {
	live, err := s.readPointer(ctx, p)
	if err != nil {
		return anchor.Live{}, err
	}
	if live.Split == nil {
		return anchor.Live{}, anchor.NotFound("no_split", "the traffic of this project is not divided between two deployments").
			Hintf("To divide it, run `anchor promote ID --weight 10`.")
	}
	return live, nil
}

// due reports whether the next step of a split is due.
func due(split anchor.Split, now time.Time) bool {
	return split.NextAt != 0 && now.UnixMilli() >= split.NextAt
}

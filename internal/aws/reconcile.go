package aws

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/release"
)

// reconcileAtOnce bounds how many projects are reconciled at the same time: the control plane of
// Lambda allows 15 calls a second per account and region (Lambda quotas, "Control plane API
// requests").
const reconcileAtOnce = 4

// Reconcile makes traffic follow the pointers that it may not follow: it finishes interrupted
// switches and heals divided traffic. An error with one project does not stop the others.
func (p *Platform) Reconcile(ctx context.Context) error {
	lives, err := p.Records.Lives(ctx)
	if err != nil {
		return fmt.Errorf("read the live pointers: %w", err)
	}
	now := p.Now()
	before := p.rounds.begin(now)
	var mu sync.Mutex
	var errs []error
	var group errgroup.Group
	group.SetLimit(reconcileAtOnce)
	for _, live := range lives {
		if !p.rounds.due(live, before, now) {
			continue
		}
		group.Go(func() error {
			if err := p.reconcile(ctx, live); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
			return nil
		})
	}
	_ = group.Wait() // errs holds the errors
	return errors.Join(errs...)
}

// reconcile makes the traffic of one project follow its pointer, and records it when that fails,
// or works again. The list of pointers may be older than the pointer itself, and a pointer whose
// project was deleted meanwhile is ignored.
func (p *Platform) reconcile(ctx context.Context, live anchor.Live) error {
	now, err := p.Records.Live(ctx, live.ProjectID)
	if errors.Is(err, anchor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the live pointer of project %s: %w", live.ProjectID, err)
	}
	divisions := release.Divisions{Records: p.Records, Now: p.Now}
	if err := p.realign(ctx, now); err != nil {
		if ctx.Err() == nil {
			_, noted := divisions.Begin(ctx, now)
			err = errors.Join(err, noted)
		}
		return err
	}
	p.rounds.settle(now, p.Now())
	return errors.Join(divisions.End(ctx, now), p.noteTabsOf(ctx, now), p.followCrons(ctx, now), p.watchCandidate(ctx, now), p.purgeAgain(ctx, now))
}

// realign is Follow, except that it reads what CloudFront serves instead of remembering it.
func (p *Platform) realign(ctx context.Context, live anchor.Live) error {
	project, err := p.project(ctx, live.ProjectID)
	if err != nil {
		return err
	}
	if err := p.front.Refresh(ctx, project); err != nil {
		return fmt.Errorf("read what the distribution of %s serves: %w", project.Slug, err)
	}
	return p.Follow(ctx, live)
}

// When a new release has reached all edges, and for how long the second purge is still made.
const (
	spread     = time.Minute
	spreadLong = 5 * time.Minute
)

// purgeAgain repeats the purge of CloudFront's cache once a release has spread. Until then, an
// edge that does not know the release may have cached the new deployment's answers under the old
// one's key, and a rollback would show them. Repeating a call does not create a second
// invalidation (CloudFront API, CallerReference).
func (p *Platform) purgeAgain(ctx context.Context, live anchor.Live) error {
	released, err := anchor.TimeOf(string(live.Release))
	if err != nil {
		return fmt.Errorf("read when release %s was: %w", live.Release, err)
	}
	if age := p.Now().Sub(released); age < spread || age > spreadLong {
		return nil
	}
	live.Release += "-spread"
	return p.Purge(ctx, live)
}

package aws

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// reconcileAtOnce bounds how many projects are looked at together: the control
// plane of Lambda allows 15 calls a second per account and region (Lambda quotas,
// "Control plane API requests").
const reconcileAtOnce = 4

// Reconcile finishes every switch that was cut off: it makes all traffic follow the
// pointers. One project's error does not keep the others.
func (p *Platform) Reconcile(ctx context.Context) error {
	lives, err := p.Records.Lives(ctx)
	if err != nil {
		return fmt.Errorf("read the live pointers: %w", err)
	}
	var mu sync.Mutex
	var errs []error
	var group errgroup.Group
	group.SetLimit(reconcileAtOnce)
	for _, live := range lives {
		group.Go(func() error {
			if err := p.reconcile(ctx, live); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
			}
			return nil
		})
	}
	_ = group.Wait() // the errors are in errs
	return errors.Join(errs...)
}

// reconcile routes one project. The list of pointers may be older than the pointer,
// and one whose project was deleted meanwhile is nobody's.
func (p *Platform) reconcile(ctx context.Context, live anchor.Live) error {
	now, err := p.Records.Live(ctx, live.ProjectID)
	if errors.Is(err, anchor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the live pointer of project %s: %w", live.ProjectID, err)
	}
	project, err := p.project(ctx, live.ProjectID)
	if err != nil {
		return err
	}
	if err := p.front.Refresh(ctx, project); err != nil {
		return fmt.Errorf("read what the distribution of %s serves: %w", project.Slug, err)
	}
	if err := p.Follow(ctx, now); err != nil {
		return err
	}
	return p.purgeAgain(ctx, now)
}

// When the new release has reached all edges, and until when that is made up for.
const (
	spread     = time.Minute
	spreadLong = 5 * time.Minute
)

// purgeAgain drops once more what CloudFront cached, when a release has spread: until
// then an edge that does not know of it may have cached the new deployment's answers
// under the old one's key, which a rollback would show. Asked for again, the same
// invalidation is no second one (CloudFront API, CallerReference).
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

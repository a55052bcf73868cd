package aws

import (
	"context"
	"errors"
	"fmt"
	"sync"

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
	return p.Route(ctx, now)
}

package function

import (
	"context"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// withLease runs work while it holds the project's lease: $LATEST is one mutable slot of every
// function, and two deployments must not fill it at the same time. When the lease is lost, the
// work's context ends.
func (f *Functions) withLease(ctx context.Context, a anchor.Deployment, work func(context.Context) error) error {
	renew, release, err := f.takeLease(ctx, a)
	if err != nil {
		return err
	}
	working, stop := context.WithCancelCause(ctx)
	renewing := make(chan struct{})
	go func() {
		defer close(renewing)
		f.keepLease(working, stop, renew)
	}()
	err = work(working)
	if lost := context.Cause(working); err != nil && lost != nil && ctx.Err() == nil {
		err = lost
	}
	stop(nil)
	<-renewing
	// Also after a cancellation: otherwise the next deployment waits for the lease to expire.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if failed := release(ending); failed != nil {
		f.Log.WarnContext(ctx, "the project's lease was not released and expires by itself", "projectId", a.ProjectID, "error", failed)
	}
	return err
}

// takeLease acquires the lease, and waits while another holder has it.
func (f *Functions) takeLease(ctx context.Context, d anchor.Deployment) (renew, release func(context.Context) error, err error) {
	holder := string(d.ID) + "." + anchor.NewID()
	deadline := time.Now().Add(f.leaseWait)
	turns := f.writes()
	turns.Calls = 0
	err = retry.Do(ctx, turns, func() (err error) {
		renew, release, err = f.Leases.Lease(ctx, d.ProjectID, holder, f.leaseTTL)
		if err != nil {
			conflict := anchor.KindOf(err) == anchor.KindConflict
			err = fmt.Errorf("take the lease of project %s: %w", d.ProjectID, err)
			if conflict && time.Now().Before(deadline) {
				return retry.Again(err)
			}
		}
		return err
	})
	return renew, release, err
}

// keepLease renews the lease until ctx ends.
func (f *Functions) keepLease(ctx context.Context, lose context.CancelCauseFunc, renew func(context.Context) error) {
	beat := time.NewTicker(f.leaseTTL / 3)
	defer beat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
		}
		if err := renew(ctx); err != nil && ctx.Err() == nil {
			lose(anchor.Conflict("lease_lost", "another process took over the project while its functions were being published").
				Hintf("Deploy again.").Because(err))
			return
		}
	}
}

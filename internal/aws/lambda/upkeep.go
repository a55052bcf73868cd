package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// Upkeep removes, once a day, what crashes and interrupted removals have left.
type Upkeep struct {
	Store     Store
	Leases    Leases
	Cloud     Cloud
	Artifacts Artifacts
	Deploys   *deploy.Service
	Log       *slog.Logger
}

const (
	// sweepTurn is how long one process keeps others from sweeping: longer than the deploy
	// handler's five minutes.
	sweepTurn = 6 * time.Minute
	// sweepEvery and sweepAgain are the pauses after a complete sweep, and after one with an
	// error that the next is likely to have, too.
	sweepEvery = 24 * time.Hour
	sweepAgain = time.Hour
	// sweepMargin is how much of an invocation is left when a sweep stops, in addition to margin.
	sweepMargin = 30 * time.Second
	// young is the age up to which files may belong to an upload or an import in progress.
	young = 24 * time.Hour
)

// sweepLease is the name that sweeps lease. A lease that is left to expire durably records when
// the next sweep is due.
const sweepLease = anchor.ProjectID("sweep")

// Sweep removes what nothing needs, if a sweep is due. It stops early enough before ctx's
// deadline, and the schedule's next round continues.
func (u *Upkeep) Sweep(ctx context.Context) error {
	_, release, err := u.Leases.Lease(ctx, sweepLease, anchor.NewID(), sweepTurn)
	if errors.Is(err, anchor.ErrConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("take the lease of the sweep: %w", err)
	}
	working, stop := soonerThan(ctx, sweepMargin)
	defer stop()
	err = u.sweep(working)
	unfinished := working.Err() != nil || anchor.KindOf(err) == anchor.KindBusy
	if failed := release(ctx); failed != nil || unfinished {
		if unfinished {
			u.Log.InfoContext(ctx, "the sweep continues in a minute", "cause", fmt.Sprint(err))
			err = nil
		}
		return errors.Join(err, failed)
	}
	pause := sweepEvery
	if err != nil {
		pause = sweepAgain
	}
	if _, _, failed := u.Leases.Lease(ctx, sweepLease, anchor.NewID(), pause); failed != nil && !errors.Is(failed, anchor.ErrConflict) {
		err = errors.Join(err, fmt.Errorf("note the sweep: %w", failed))
	}
	return err
}

func (u *Upkeep) sweep(ctx context.Context) error {
	old := u.Deploys.PruneByAge(ctx)
	if ctx.Err() != nil {
		return old
	}
	left := u.sweepDeployments(ctx)
	if ctx.Err() != nil {
		return errors.Join(old, left)
	}
	gone := u.Cloud.Sweep(ctx)
	if ctx.Err() != nil {
		return errors.Join(old, left, gone)
	}
	freed, err := u.Artifacts.Collect(ctx, young)
	u.Log.InfoContext(ctx, "swept", "freedBytes", freed)
	return worst(old, left, gone, err)
}

// worst joins errors so that the result is KindBusy only when all of them are: what fails each
// time must not be retried each minute.
func worst(errs ...error) error {
	var busy, others error
	for _, err := range errs {
		if anchor.KindOf(err) == anchor.KindBusy {
			busy = err
		} else {
			others = errors.Join(others, err)
		}
	}
	if others == nil {
		return busy
	}
	return fmt.Errorf("sweep: %w", others)
}

// sweepDeployments removes what is left of deployments that, by the records, ended without being
// deployed, were pruned or were removed with their project. Every uploaded deployment has a
// manifest, which is removed last. What the records do not know stays: the records may have been
// lost, or restored to an earlier time.
func (u *Upkeep) sweepDeployments(ctx context.Context) error {
	ids, err := u.Artifacts.IDs(ctx)
	if err != nil {
		return err
	}
	var errs []error
	var unknown []anchor.DeploymentID
	for _, id := range ids {
		if ctx.Err() != nil {
			break
		}
		known, err := u.sweepDeployment(ctx, id)
		if err == nil && !known {
			unknown = append(unknown, id)
		}
		errs = append(errs, err)
	}
	if len(unknown) > 0 {
		u.Log.WarnContext(ctx, "the artifacts bucket holds deployments that the records do not know; they stay",
			"deployments", len(unknown), "first", unknown[0], "hint", hintUnknown)
	}
	return worst(errs...)
}

// sweepDeployment reports whether the records know the deployment, as one that they
// hold or as one that was removed.
func (u *Upkeep) sweepDeployment(ctx context.Context, id anchor.DeploymentID) (known bool, err error) {
	d, err := u.Store.Deployment(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		removed, err := u.Store.Removed(ctx, id)
		if err != nil || !removed {
			return false, err
		}
		u.Log.InfoContext(ctx, "remove the artifact of a deployment whose project is removed", "deploymentId", id)
		return true, u.Artifacts.Remove(ctx, id)
	}
	if err != nil {
		return false, fmt.Errorf("read deployment %s: %w", id, err)
	}
	if !d.Status.Ended() || d.CanServe() || d.IsRollback || d.KeepsAssets(time.Now()) {
		return true, nil
	}
	live, err := u.Store.Live(ctx, d.ProjectID)
	if err != nil && !errors.Is(err, anchor.ErrNotFound) {
		return true, fmt.Errorf("read the live pointer of project %s: %w", d.ProjectID, err)
	}
	if live.DividedSince != 0 {
		return true, nil // requests may still reach it
	}
	u.Log.InfoContext(ctx, "remove what is left of a deployment", "deploymentId", id, "projectId", d.ProjectID, "status", d.Status)
	return true, u.Deploys.Exclusive(ctx, d.ProjectID, func(ctx context.Context) error {
		return remover{u.Cloud, u.Artifacts}.Remove(ctx, d)
	})
}

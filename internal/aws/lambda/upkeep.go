package lambda

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/project"
)

// Upkeep is the work that no request waits for: to remove projects, and to take away
// once a day what crashes and removals that were cut off have left.
type Upkeep struct {
	Store     Store
	Leases    deploy.Leases
	Cloud     Cloud
	Artifacts Artifacts
	Deploys   *deploy.Service
	Projects  *project.Service
	Log       *slog.Logger
}

// RemoveProject continues the removal of a project, as project.Service.FinishRemoval does.
// The sweep finds the manifests of its deployments.
func (u *Upkeep) RemoveProject(ctx context.Context, id anchor.ProjectID) error {
	removed, err := u.Projects.FinishRemoval(ctx, id)
	if removed {
		u.Log.InfoContext(ctx, "project removed", "projectId", id)
	}
	return err
}

// RemoveProjects goes on with every project that is being removed. One that has to
// wait for AWS is no error, and one's error does not keep the others.
func (u *Upkeep) RemoveProjects(ctx context.Context) error {
	var failed error
	err := u.projects(ctx, func(p anchor.Project) {
		if !p.Removing {
			return
		}
		err := u.RemoveProject(ctx, p.ID)
		if anchor.KindOf(err) == anchor.KindBusy {
			u.Log.InfoContext(ctx, "the removal of a project continues in a minute", "projectId", p.ID, "cause", err.Error())
			return
		}
		failed = errors.Join(failed, err)
	})
	return errors.Join(err, failed)
}

func (u *Upkeep) projects(ctx context.Context, each func(anchor.Project)) error {
	page := anchor.Page{Limit: anchor.MaxPage}
	for {
		list, err := u.Store.Projects(ctx, page)
		if err != nil {
			return fmt.Errorf("list the projects: %w", err)
		}
		for _, p := range list.Items {
			each(p)
		}
		if list.Next == "" {
			return nil
		}
		page.Cursor = list.Next
	}
}

const (
	// sweepTurn is for how long one process keeps others from sweeping: the deploy
	// handler's five minutes, and then some.
	sweepTurn = 6 * time.Minute
	// sweepEvery and sweepAgain are the pauses after a sweep that did all and after one
	// that met an error which the next is likely to meet, too.
	sweepEvery = 24 * time.Hour
	sweepAgain = time.Hour
	// sweepMargin is left of an invocation when a sweep stops, on top of margin.
	sweepMargin = 30 * time.Second
	// young is what may belong to an upload or an import under way.
	young = 24 * time.Hour
)

// sweepLease is what sweeps take a lease on. One that is left to expire is the durable
// note of when the next is due.
const sweepLease = anchor.ProjectID("sweep")

// Sweep takes away what nothing needs, if that is due. It stops early enough before
// ctx's deadline, and the schedule's next round goes on then.
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
	left := u.sweepDeployments(ctx)
	if ctx.Err() != nil {
		return left
	}
	gone := u.Cloud.Sweep(ctx)
	if ctx.Err() != nil {
		return errors.Join(left, gone)
	}
	freed, err := u.Artifacts.Collect(ctx, young)
	u.Log.InfoContext(ctx, "swept", "freedBytes", freed)
	return worst(left, gone, err)
}

// worst joins errors so that KindBusy shows only when it is all there is: what fails
// each time shall not be tried each minute.
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

// sweepDeployments removes what is left of deployments that, by the records, ended
// without being deployed, were pruned or went with their project. All that were uploaded
// have a manifest, which goes last. What the records do not know stays: it is they that
// may be lost, or restored to an earlier time.
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
	u.Log.InfoContext(ctx, "remove what is left of a deployment", "deploymentId", id, "projectId", d.ProjectID, "status", d.Status)
	return true, u.Deploys.Between(ctx, d.ProjectID, func(ctx context.Context) error {
		return remover{u.Cloud, u.Artifacts}.Remove(ctx, d)
	})
}

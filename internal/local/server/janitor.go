package server

import (
	"context"
	"errors"
	"time"
)

const (
	// sweepEvery is the time between two runs of the janitor. Its work is not urgent.
	sweepEvery = time.Hour
	// removeEvery is the time between two looks for projects whose removal has not finished.
	removeEvery = 15 * time.Second
	// backupEvery is the age at which the newest copy of the records is followed by another one.
	backupEvery = 6 * time.Hour
	// backupsKept reach back two days.
	backupsKept = 8
)

// runJanitor removes what crashes and abandoned uploads left, heals divided traffic, removes previews that
// are too old, packs the Git repositories and copies the records, now and every hour, until ctx ends.
func (a *app) runJanitor(ctx context.Context) {
	for tick := time.NewTicker(sweepEvery); ; {
		if err := a.core.Deploys.Resume(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("cancel abandoned uploads", "error", err)
		}
		if err := a.heal(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("send divided traffic to the live deployment", "error", err)
		}
		if err := a.core.Deploys.PruneByAge(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("remove previews that are too old", "error", err)
		}
		if err := a.platform.Sweep(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("clean up the data folder", "error", err)
		}
		if err := a.repositories.Tidy(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("pack the Git repositories", "error", err)
		}
		if err := a.backUp(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("copy the records", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return
		}
	}
}

// finishRemovals continues the removals of projects that a crash or a wait has interrupted, now and
// every few seconds, until ctx ends.
func (a *app) finishRemovals(ctx context.Context) {
	tick := time.NewTicker(removeEvery)
	defer tick.Stop()
	for {
		if err := a.core.Projects.FinishRemovals(ctx); err != nil && ctx.Err() == nil {
			a.Log.Error("remove projects", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// heal makes the traffic of each project follow the pointer that says it does not.
func (a *app) heal(ctx context.Context) error {
	lives, err := a.store.Lives(ctx)
	if err != nil {
		return err
	}
	var failed error
	for _, live := range lives {
		if live.DividedSince != 0 {
			failed = errors.Join(failed, a.core.Releases.Follow(ctx, live.ProjectID))
		}
	}
	return failed
}

// backUp copies the records unless there is a recent copy. A copy dated in the future means that
// the clock went back.
func (a *app) backUp(ctx context.Context) error {
	backups := folder(a.Data).backupsOf()
	path, made, err := backups.Newest()
	if err != nil {
		return err
	}
	if age := time.Since(made); path != "" && age >= 0 && age < backupEvery {
		return nil
	}
	return a.store.Backup(ctx, backups, backupsKept)
}

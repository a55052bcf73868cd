package lambda

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// When a pass stops its work, as times before the end of its invocation.
const (
	// lastStep is when no step begins any more.
	lastStep = 30 * time.Second
	// cutOff is when a step that still runs is interrupted. What is left is for the records, for
	// removals (until margin) and for continuing in another invocation.
	cutOff = 10 * time.Second
)

// longestUnfinished is the age at which a deployment fails that no pass could end.
const longestUnfinished = 24 * time.Hour

// turns is the policy for work that must wait for another process.
var turns = retry.Policy{First: 20 * time.Millisecond, Longest: 5 * time.Second}

// process runs a pass over a built or half-deployed deployment and returns once none of its work
// runs: nil when the deployment has ended, well or not, as its record says. It may be called for
// the same deployment again and at the same time. It stops early enough before the deadline of
// ctx and returns deploy.ErrUnfinished, also when its turn in the project does not come.
func (d *Deployer) process(ctx context.Context, id anchor.DeploymentID) error {
	record, err := d.Records.Deployment(ctx, id)
	if err != nil {
		return fmt.Errorf("read deployment %s: %w", id, err)
	}
	working, stop := soonerThan(ctx, cutOff)
	defer stop()
	switch {
	case record.Status.Ended():
		d.cleanUp(working, record)
		return nil
	case !record.Status.CanMove(anchor.DeployFailed): // waits for its artifact
		return anchor.Conflict("not_built", "deployment %s cannot be deployed yet: its status is %s", id, record.Status).
			Hintf("Upload its files first.")
	case time.Since(time.UnixMilli(record.CreatedAt)) > longestUnfinished:
		return d.Deploys.GiveUp(ctx, record, "it was not deployed within a day")
	}
	lease, err := d.acquireLease(working, record)
	if errors.Is(err, errEnded) {
		return nil
	}
	if err != nil {
		return err
	}
	defer lease.close(ctx)
	lasting, stop := soonerThan(ctx, margin)
	defer stop()
	return d.Deploys.RunPass(lease.ctx, lasting, id, checkTime)
}

// checkTime ends a pass for which too little time is left.
func checkTime(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) < lastStep-cutOff {
		return deploy.ErrUnfinished
	}
	return nil
}

// errEnded reports that a deployment ended before its pass began.
var errEnded = errors.New("the deployment has ended")

// acquireLease waits until no other pass runs in the project. It returns errEnded when the
// deployment ended meanwhile, and deploy.ErrUnfinished when ctx ends first.
func (d *Deployer) acquireLease(ctx context.Context, record anchor.Deployment) (lease *projectLease, err error) {
	holder := string(record.ID) + "/" + anchor.NewID() // two passes of one deployment are two holders
	check := func(ctx context.Context) error { return d.checkEnded(ctx, record.ID) }
	err = retry.Do(ctx, turns, func() error {
		renew, release, err := d.Leases.Lease(ctx, leaseName(record.ProjectID, deploy.Passes), holder, leaseTime)
		if err == nil {
			lease = holdLease(ctx, renew, release, check)
			return nil
		}
		if !errors.Is(err, anchor.ErrConflict) {
			return fmt.Errorf("take the lease of project %s: %w", record.ProjectID, err)
		}
		if ended := check(ctx); ended != nil {
			return errEnded
		}
		return retry.Again(err)
	})
	if err != nil && ctx.Err() != nil {
		return nil, fmt.Errorf("another deployment of project %s runs before %s: %w", record.ProjectID, record.ID, deploy.ErrUnfinished)
	}
	return lease, err
}

// checkEnded returns deploy.ErrCanceled when the record shows that the deployment has ended or it
// was deleted. Another process ended it. Records that fail show nothing.
func (d *Deployer) checkEnded(ctx context.Context, id anchor.DeploymentID) error {
	now, err := d.Records.Deployment(ctx, id)
	if err == nil && now.Status.Ended() || errors.Is(err, anchor.ErrNotFound) {
		return deploy.ErrCanceled
	}
	return nil
}

// cleanUp removes what is left of a deployment that ended without being deployed: its pass may
// have been cut off. The platform's sweep removes what cleanUp cannot.
func (d *Deployer) cleanUp(ctx context.Context, ended anchor.Deployment) {
	if ended.Status == anchor.Deployed || ended.CanServe() || d.Deploys.MayServe(ctx, ended) {
		return
	}
	err := retry.Do(ctx, turns, func() error {
		err := d.Deploys.Exclusive(ctx, ended.ProjectID, func(ctx context.Context) error { return d.Remover.Remove(ctx, ended) })
		if anchor.KindOf(err) == anchor.KindBusy {
			return retry.Again(err)
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		d.Log.ErrorContext(ctx, "remove the resources of an ended deployment; the next sweep tries again", "deploymentId", ended.ID, "error", err)
	}
}

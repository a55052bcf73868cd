package release

import (
	"errors"
	"fmt"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// newRelease describes the move from the pointer to the deployment serving; named is the record
// that describes the move.
func newRelease(kind anchor.ReleaseKind, from anchor.Live, serving anchor.Deployment, named anchor.DeploymentID) anchor.Release {
	return anchor.Release{
		ID:         anchor.ReleaseID(anchor.NewID()),
		ProjectID:  serving.ProjectID,
		Kind:       kind,
		Deployment: serving.ID,
		From:       from.Deployment,
		Record:     named,
		Version:    serving.Version,
		CreatedAt:  time.Now().UnixMilli(),
	}
}

// rollbackRecord returns the new deployment that a rollback writes: the target's commit, branch
// and versions under a new version label (SPEC, Rolling back).
func rollbackRecord(target anchor.Deployment, from anchor.Live) *anchor.Deployment {
	now := time.Now().UnixMilli()
	rec := target
	rec.ID = anchor.DeploymentID(anchor.NewID())
	rec.Version = fmt.Sprintf("rollback-%s-%d", target.ID, now)
	rec.CreatedAt, rec.DeployedAt = now, now
	rec.IsRollback = true
	rec.RollbackFrom = from.Version
	rec.RollbackTo = target.ID
	rec.NoRelease = false
	// The target may have ended as superseded.
	rec.Status, rec.ErrorStep, rec.ErrorMessage = anchor.Deployed, "", ""
	return &rec
}

// SupersededCode marks the error of a deployment that came after a newer request.
const SupersededCode = "superseded"

// supersededBy is the error of a deployment that a newer request came before. It is
// ready to serve, and stays so until retention removes it.
func supersededBy(live anchor.Live, late anchor.DeploymentID) error {
	return anchor.Conflict(SupersededCode, "a newer request already made %s (deployment %s) live", live.Version, live.Deployment).
		Hintf("To make this one live instead, run `anchor promote %s`.", late)
}

// switchFailed reports a switch that failed and left live as it was. Errors that the user can
// fix keep their kind.
func switchFailed(target anchor.DeploymentID, err error) error {
	if e := (*anchor.Error)(nil); errors.As(err, &e) && e.Kind != anchor.KindFailed {
		return err
	}
	return anchor.Failed("switch_failed", "could not switch to deployment %s; live traffic was not affected", target).
		Hintf("Check the server with `anchor doctor` and the app's log with `anchor logs`.").Because(err)
}

// switchUnknown reports a move whose answer was lost, while the records cannot be read either.
func switchUnknown(target anchor.DeploymentID, err error) error {
	return anchor.Failed("switch_unknown", "the records did not confirm whether deployment %s is live", target).
		Hintf("Check the server with `anchor doctor`, then repeat the request.").Because(err)
}

// trafficNotSwitched reports traffic that still goes to the deployment live before.
func trafficNotSwitched(live anchor.Live, err error) error {
	return anchor.Failed("traffic_failed", "deployment %s is live in the records, but traffic was not switched to it", live.Deployment).
		Hintf("Repeat the request, or restart the server, which routes traffic by the records.").Because(err)
}

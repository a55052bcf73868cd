package release

import (
	"cmp"
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
	rec.NoRelease, rec.ForceReload, rec.Split = false, false, nil
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
	return anchor.Failed("switch_failed", "could not switch to deployment %s; live traffic was not changed", target).
		Hintf("%s", hintOf(err)).Because(err)
}

// hintOf returns what the cause says to do, which fits the platform, or a general hint.
func hintOf(cause error) string {
	return cmp.Or(anchor.HintOf(cause), "Check the server with `anchor doctor` and the app's log with `anchor logs`.")
}

// describe returns an error with what to do next, for a record.
func describe(err error) string { return lines(err.Error(), anchor.HintOf(err)) }

// switchUnknown reports a move whose answer was lost, while the records cannot be read either.
func switchUnknown(target anchor.DeploymentID, err error) error {
	return anchor.Failed("switch_unknown", "the records did not confirm whether deployment %s is live", target).
		Hintf("Check the server with `anchor doctor`, then repeat the request.").Because(err)
}

// DividedCode marks the error of a switch that failed and could not be undone as a whole.
const DividedCode = "traffic_divided"

// trafficDivided reports that the switch to target failed half-way, and that some requests reach
// another deployment than live.
func trafficDivided(live anchor.Live, target anchor.DeploymentID, since time.Time, err error) error {
	return anchor.Failed(DividedCode, "the switch to deployment %s failed half-way; since %s some requests may reach another deployment than %s (%s), which is live",
		target, stamp(since), live.Version, live.Deployment).
		Hintf("%s\n`anchor status` shows whether traffic is still divided. To switch again: `anchor promote %s`.", hintOf(err), live.Deployment).
		Because(err)
}

package records

import (
	"iter"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// LiveAfter returns the pointer as the release leaves it.
func LiveAfter(r anchor.Release) anchor.Live {
	return anchor.Live{
		ProjectID:  r.ProjectID,
		Deployment: r.Deployment,
		Record:     r.Record,
		Version:    r.Version,
		Release:    r.ID,
		Order:      r.Order,
		Revision:   r.Revision,

		ForceReload:  r.ForceReload,
		Split:        r.Split,
		DividedSince: r.DividedSince,
	}
}

// LastLive returns the deployment that was live before the current one, or "" when there was
// none, given a project's releases, newest first. A release that was undone counts as if it had
// not happened.
func LastLive(releases iter.Seq[anchor.Release]) anchor.DeploymentID {
	var live anchor.DeploymentID
	undone := false
	for r := range releases {
		switch {
		case r.Kind == anchor.ReleaseUndo:
			undone = true
		case undone:
			undone = false
		case live == "":
			live = r.Deployment
		case r.Deployment != live:
			return r.Deployment
		}
	}
	return ""
}

// CheckUndo returns a Conflict unless the undo of failed, written as to and record, is one.
// record is nil when the release that is undone wrote no record.
func CheckUndo(failed anchor.Live, to anchor.Release, record *anchor.Deployment) error {
	switch {
	case to.Kind != anchor.ReleaseUndo || to.Record != failed.Record:
		return anchor.Conflict("no_such_undo", "release %s does not undo release %s", to.ID, failed.Release)
	case record == nil:
		return nil
	case record.ProjectID != to.ProjectID || record.ID != failed.Record:
		return ForeignRecord(record.ID, to.ProjectID)
	case record.Status != anchor.DeployFailed:
		return NoSuchMove(record.ID, anchor.Deployed, record.Status)
	}
	return nil
}

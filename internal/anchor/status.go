package anchor

import "slices"

// Status is where a deployment stands. Whether a deployed one is live is read
// from the live pointer and is never stored here.
type Status string

// The statuses of a deployment.
const (
	Queued       Status = "queued"    // a build is asked for and waits
	Building     Status = "building"  // the artifact is being made or is arriving
	Built        Status = "built"     // the artifact is complete and waits for its turn
	Deploying    Status = "deploying" // the pipeline runs
	Deployed     Status = "deployed"  // has a URL, can be promoted
	BuildFailed  Status = "build_failed"
	DeployFailed Status = "deploy_failed"
	Canceled     Status = "canceled"
	Superseded   Status = "superseded" // a newer request went live first
	Skipped      Status = "skipped"    // its commit need not be built, as the app's settings say
)

// moves are those that a deployment makes by itself. The undo of a failed switch moves the record of
// its release from Deployed to DeployFailed, in the transaction that moves the pointer back.
var moves = map[Status][]Status{
	Queued:    {Building, BuildFailed, Canceled, Superseded},
	Building:  {Built, BuildFailed, Canceled, Superseded, Skipped},
	Built:     {Deploying, DeployFailed, Canceled, Superseded},
	Deploying: {Deployed, DeployFailed, Canceled, Superseded},
}

// CanMove reports whether a deployment may move from s to the status to. Staying at s is not a
// move.
func (s Status) CanMove(to Status) bool {
	return slices.Contains(moves[s], to)
}

// Ended reports whether no move leads out of s.
func (s Status) Ended() bool { return len(moves[s]) == 0 }

package anchor

// Live is the pointer of a project: which deployment production traffic reaches.
type Live struct {
	ProjectID  ProjectID    `json:"projectId"`
	Deployment DeploymentID `json:"deploymentId"` // whose files and functions serve; never a rollback's record
	Record     DeploymentID `json:"recordId"`     // the deployment record the last release wrote or named
	Version    string       `json:"version"`      // the served deployment's version label
	Release    ReleaseID    `json:"releaseId"`
	Order      int64        `json:"-"`        // see Release.Order
	Revision   int64        `json:"revision"` // grows by one with every move; 0 before the first

	ForceReload bool `json:"forceReload,omitempty" doc:"The last release ended the use of earlier deployments by open tabs"`

	Split *Split `json:"split,omitempty" doc:"The other deployment that gets a share of the traffic; absent when there is none"`

	DividedSince int64 `json:"dividedSince,omitempty" doc:"Since when (Unix milliseconds) some requests reach another deployment, because a switch failed half-way; absent when all requests reach this one"`
}

// Release is one move of the live pointer. It is kept forever.
type Release struct {
	ID         ReleaseID    `json:"releaseId"`
	ProjectID  ProjectID    `json:"projectId"`
	Kind       ReleaseKind  `json:"kind"`
	Deployment DeploymentID `json:"deploymentId"`     // whose files and functions serve from now on
	From       DeploymentID `json:"fromDeploymentId"` // what served before, "" on the first
	Record     DeploymentID `json:"recordId"`         // the record that describes it: the deployment, or the rollback's own
	Version    string       `json:"version"`          // the served deployment's version label
	CreatedAt  int64        `json:"createdAt"`        // Unix milliseconds
	Revision   int64        `json:"revision"`         // the pointer's, after the move

	// Order is the place of the request that caused the release among those of its
	// project: the Order of the deployment for a deploy, else a number that the records
	// hand out with the move. A deploy with a smaller Order than the live one's is
	// superseded.
	Order int64 `json:"-"`

	ForceReload bool `json:"forceReload,omitempty" doc:"It ended the use of earlier deployments by open tabs, which then reload"`

	// With a Split, Deployment is the one that was live before and stays live, and Record the
	// record of the other one.
	Split *Split    `json:"split,omitempty" doc:"The other deployment that gets a share of the traffic from then on; absent when there is none"`
	Ended *SplitEnd `json:"endedSplit,omitempty" doc:"The split that this release ended; absent when there was none"`

	DividedSince int64 `json:"dividedSince,omitempty" doc:"Since when (Unix milliseconds) some requests reach another deployment, because a switch failed half-way; absent when all requests follow this release"`
}

// ReleaseKind is what caused a release.
type ReleaseKind string

// The kinds of release.
const (
	ReleaseDeploy   ReleaseKind = "deploy"
	ReleasePromote  ReleaseKind = "promote"
	ReleaseRollback ReleaseKind = "rollback"
	// ReleaseShift is a step of a split, or its end.
	ReleaseShift ReleaseKind = "shift"
	// ReleaseUndo returns the pointer to where it was before a release whose traffic did not
	// follow. Its Record is the one of the release that it undoes.
	ReleaseUndo ReleaseKind = "undo"
)

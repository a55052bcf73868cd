package anchor

import (
	"cmp"
	"time"
)

// Deployment is one immutable build of one commit of a project, and the record of how it ended.
// The JSON names are part of the API. Times are Unix milliseconds; 0 means not yet.
type Deployment struct {
	ID            DeploymentID `json:"deploymentId"`
	ProjectID     ProjectID    `json:"projectId"`
	CommitSha     string       `json:"commitSha"`
	CommitMessage string       `json:"commitMessage"`
	Branch        string       `json:"branch"`
	Status        Status       `json:"status"`
	Version       string       `json:"version"`
	CreatedAt     int64        `json:"createdAt"`
	DeployedAt    int64        `json:"deployedAt"`
	PrunedAt      int64        `json:"prunedAt,omitempty"` // when retention removed its files and versions
	AssetsUntil   int64        `json:"assetsUntil,omitempty" doc:"Until when its hashed files stay reachable after it was pruned, for browsers that loaded its pages"`
	NoRelease     bool         `json:"noRelease,omitempty"`
	ForceReload   bool         `json:"forceReload,omitempty" doc:"Its release ends the use of earlier deployments by open tabs"`
	Split         *SplitPlan   `json:"split,omitempty" doc:"How its release moves traffic to it; absent when it gets all at once"`
	SkewID        string       `json:"skewId,omitempty" doc:"The deploymentId of its build, which browsers that loaded its pages send with their requests; absent in a build without one"`
	Fork          bool         `json:"fork,omitempty" doc:"Built from a fork: it has none of the project's variables and cannot go live"`
	PullRequest   int64        `json:"pullRequest,omitempty" doc:"Number of the pull request of its branch when it was built"`
	Source        Source       `json:"source,omitempty" enum:"push,repository" doc:"Where its files come from; absent when they were uploaded"`
	CreatedBy     string       `json:"createdBy,omitempty" doc:"Name of the person or token that uploaded it or rolled back, or the author of the commit that was pushed"`

	Crons []Cron `json:"crons,omitempty" doc:"Paths that are requested on a schedule while it is live"`

	Functions              map[string]FunctionVersion `json:"functions"`
	LambdaServerVersionARN string                     `json:"lambdaServerVersionArn"`
	LambdaImageVersionARN  string                     `json:"lambdaImageVersionArn"`
	LambdaServerAliasARN   string                     `json:"lambdaServerAliasArn"`
	StaticAssetsPath       string                     `json:"staticAssetsPath"`

	IsRollback   bool         `json:"isRollback"`
	RollbackFrom string       `json:"rollbackFrom"` // the version that was live before
	RollbackTo   DeploymentID `json:"rollbackTo"`

	ErrorStep    string `json:"errorStep"`
	ErrorMessage string `json:"errorMessage"`

	// Order is the place of the request among those of its project, from 1. The
	// records hand it out when they accept a deployment and keep it: what a caller
	// writes there is ignored. 0 is a record of before there were such numbers, and
	// comes before every other.
	Order int64 `json:"order,omitempty" doc:"Place among the requests of the project, in the order in which the server accepted them"`
}

// Source is where the files of a deployment come from. The zero value is an upload.
type Source string

// The sources of a deployment that was built by or for the server.
const (
	SourcePush       Source = "push"       // the server built a commit that was pushed to it
	SourceRepository Source = "repository" // a commit of a repository elsewhere was built
)

// Compare orders deployments of a project by when they were accepted, for slices.SortFunc. Ids
// decide between two from before there was an Order.
func (d Deployment) Compare(other Deployment) int {
	return cmp.Or(cmp.Compare(d.Order, other.Order), cmp.Compare(d.ID, other.ID))
}

// Before reports whether d was accepted before other, a deployment of the same project.
func (d Deployment) Before(other Deployment) bool { return d.Compare(other) < 0 }

// CanServe reports whether d has functions and files that traffic can be sent to: it was
// deployed, or superseded by a newer request once it was ready, and retention has not removed
// it. The record of a rollback has no functions or files.
func (d Deployment) CanServe() bool {
	ready := d.Status == Deployed || d.Status == Superseded && d.Version != "" && d.Order > 0
	return ready && !d.IsRollback && d.PrunedAt == 0
}

// Serves returns the deployment whose files and functions answer for d: d itself, or the target
// when d is the record of a rollback.
func (d Deployment) Serves() DeploymentID {
	if d.IsRollback {
		return d.RollbackTo
	}
	return d.ID
}

// KeepsAssets reports whether d is pruned but for its hashed files.
func (d Deployment) KeepsAssets(now time.Time) bool {
	return d.PrunedAt != 0 && now.UnixMilli() < d.AssetsUntil
}

// FunctionVersion names one published, immutable version of a function: code
// and environment together.
type FunctionVersion struct {
	Version    string `json:"version"`    // a number that grows, as Lambda's
	VersionARN string `json:"versionArn"` // arn:aws:lambda:…:<n>, or arn:anchor:local:<project>:function:<name>:<n>
	CodeSha256 string `json:"codeSha256"` // base64 of the SHA-256 of the code, as Lambda's
}

// The names of the functions that every build may have. Split functions keep the name that
// their author chose.
const (
	ServerFunction     = "default"
	ImageFunction      = "imageOptimizer"
	MiddlewareFunction = "middleware"
)

// LiveAlias is the name of the alias that production traffic follows.
const LiveAlias = "live"

// Event is one line of a deployment's journal: what a step did. Seq counts from
// 1 within the deployment, without gaps.
type Event struct {
	DeploymentID DeploymentID `json:"deploymentId"`
	Seq          int64        `json:"seq"`
	Time         int64        `json:"time"` // Unix milliseconds
	Step         string       `json:"step"` // one of the pipeline's steps, or "" for the deployment itself
	Phase        Phase        `json:"phase"`
	Message      string       `json:"message,omitempty"`
	DurationMS   int64        `json:"durationMs,omitempty"` // on StepEnd and StepFail
	Status       Status       `json:"status,omitempty"`     // on StatusChange
}

// Phase is what an Event reports.
type Phase string

// The phases of an Event.
const (
	StepStart    Phase = "start"
	StepNote     Phase = "note"
	StepEnd      Phase = "end"
	StepFail     Phase = "fail"
	StatusChange Phase = "status"
)

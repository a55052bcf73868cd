// Package wire holds the JSON bodies that the API and its client exchange, where
// they are not the domain's own types.
package wire

import (
	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// Deployment is a deployment's record with where it can be seen.
type Deployment struct {
	anchor.Deployment
	URL           string `json:"url" doc:"The project's production URL"`
	DeploymentURL string `json:"deploymentUrl" doc:"The deployment's own URL, which works before and after it is live"`
	BranchURL     string `json:"branchUrl,omitempty" doc:"Of a preview: the URL that follows the newest preview of its branch"`
	Live          bool   `json:"live" doc:"Whether production traffic reaches it now; during a split, the one that gets the rest"`
	Weight        int    `json:"weight,omitempty" doc:"Percentage of the production traffic that it gets during a split"`
}

// Project is a project with where it can be seen.
type Project struct {
	anchor.Project
	URL string `json:"url"`
}

// CreateProject is the body of POST /projects.
type CreateProject struct {
	Slug             string `json:"slug" example:"shop"`
	ProductionBranch string `json:"productionBranch,omitempty" example:"main"`
}

// StartDeployment is the body of POST /projects/{projectId}/deployments.
type StartDeployment struct {
	Manifest      artifact.Manifest   `json:"manifest,omitzero" required:"false" doc:"All files; either this, delta or filesOf"`
	Delta         *artifact.Delta     `json:"delta,omitempty" doc:"What differs from an earlier deployment's files; refused as no_base when the server has not kept those"`
	FilesOf       anchor.DeploymentID `json:"filesOf,omitempty" maxLength:"64" doc:"Deploys the files of that deployment once more, with the variables of now; in place of manifest and delta"`
	CommitSha     string              `json:"commitSha,omitempty" maxLength:"64"`
	CommitMessage string              `json:"commitMessage,omitempty" maxLength:"4096"`
	Branch        string              `json:"branch,omitempty" maxLength:"255"`
	PullRequest   int64               `json:"pullRequest,omitempty" minimum:"0" doc:"Number of the pull request of the branch"`
	NoRelease     bool                `json:"noRelease,omitempty" doc:"End as deployed without going live"`
	Split         *anchor.SplitPlan   `json:"split,omitempty" doc:"When it goes live while another deployment is live, it gets a share of the traffic, as this says, and not all of it"`
	ForceReload   bool                `json:"forceReload,omitempty" doc:"When it goes live, make open tabs reload instead of using the deployment that they loaded"`
}

// StartBuild is the body of POST /projects/{projectId}/builds.
type StartBuild struct {
	Repository    string `json:"repository" maxLength:"1000" example:"https://github.com/you/shop" doc:"The https URL to clone, without credentials"`
	CommitSha     string `json:"commitSha,omitempty" maxLength:"64" doc:"What to build; the head of the branch when it is missing"`
	CommitMessage string `json:"commitMessage,omitempty" maxLength:"4096"`
	Branch        string `json:"branch,omitempty" maxLength:"255" doc:"The production branch when it is missing; any other branch becomes a preview"`
	NoRelease     bool   `json:"noRelease,omitempty" doc:"End as deployed without going live"`
	Production    bool   `json:"production,omitempty" doc:"Go live from any branch or tag"`
}

// StartedDeployment answers StartDeployment.
type StartedDeployment struct {
	Deployment Deployment        `json:"deployment"`
	Missing    []artifact.Digest `json:"missing" doc:"The digests the server lacks" nullable:"false"`
	// BuildVariables is set for a deployment of the files of another one.
	BuildVariables []string `json:"buildVariables,omitempty" doc:"With filesOf: the names of the project's variables that builds see; what the build has inlined of them stays as it is"`
	Presigned      bool     `json:"presigned,omitempty" doc:"Contents go to the URLs that POST …/uploads gives, not to the API"`
}

// MaxPresign is how many URLs one call returns.
const MaxPresign = 500

// Presign is the body of POST …/uploads.
type Presign struct {
	Digests []artifact.Digest `json:"digests" minItems:"1" maxItems:"500" nullable:"false" doc:"Of those that are missing"`
}

// Presigned answers Presign.
type Presigned struct {
	Uploads []artifact.Upload `json:"uploads" nullable:"false" doc:"In the order of the digests"`
}

// Missing answers GET …/missing.
type Missing struct {
	Missing []artifact.Digest `json:"missing" nullable:"false"`
}

// Received answers an upload.
type Received struct {
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// Promote is the body of POST …/promote, which may be left out.
type Promote struct {
	Split       *anchor.SplitPlan `json:"split,omitempty" doc:"Give it a share of the traffic, as this says, and not all of it"`
	ForceReload bool              `json:"forceReload,omitempty" doc:"Make open tabs reload instead of using the deployment that they loaded"`
}

// Rollback is the body of POST /projects/{projectId}/rollback.
type Rollback struct {
	TargetDeploymentID anchor.DeploymentID `json:"targetDeploymentId,omitempty" doc:"The deployment to bring back (required)"`

	// Previous asks for the deployment that was live before the current one, when
	// no target is named. Without it a missing target is an error.
	Previous bool `json:"previous,omitempty" doc:"Bring back the one that was live before, instead of naming a target"`

	ForceReload bool `json:"forceReload,omitempty" doc:"Make open tabs reload instead of using the deployment that they loaded"`
}

// RolledBack answers Rollback.
type RolledBack struct {
	Message         string              `json:"message"`
	DeploymentID    anchor.DeploymentID `json:"deploymentId" doc:"The record this rollback wrote"`
	RolledBackTo    anchor.DeploymentID `json:"rolledBackTo"`
	PreviousVersion string              `json:"previousVersion" doc:"Number of the server function's version that was live before"`
	NewAliasVersion string              `json:"newAliasVersion" doc:"Number of the server function's version that is live now"`
	PreviousLabel   string              `json:"previousLabel" doc:"Version label of the deployment that was live before"`
	NewLabel        string              `json:"newLabel" doc:"Version label of the deployment that is live now"`
	RollbackTimeMS  int64               `json:"rollbackTimeMs"`
}

// Promoted answers POST …/promote and DELETE …/split.
type Promoted struct {
	Message         string              `json:"message"`
	DeploymentID    anchor.DeploymentID `json:"deploymentId"`
	Weight          int                 `json:"weight,omitempty" doc:"Percentage of the traffic that it gets; absent when it gets all"`
	PreviousVersion string              `json:"previousVersion" doc:"Number of the server function's version that was live before, empty if there was none"`
	NewAliasVersion string              `json:"newAliasVersion" doc:"Number of the server function's version that is live now"`
	PreviousLabel   string              `json:"previousLabel" doc:"Version label of the deployment that was live before, empty if there was none"`
	NewLabel        string              `json:"newLabel" doc:"Version label of the deployment that is live now"`
	PromoteTimeMS   int64               `json:"promoteTimeMs"`

	Redeployed     bool     `json:"redeployed,omitempty" doc:"The deployment was a preview: deploymentId is a new deployment of its files with the variables of production, which goes live when its steps have ended"`
	BuildVariables []string `json:"buildVariables,omitempty" doc:"Of a preview: the names of the project's variables that builds see; what the build has inlined of them stays as it is"`
}

// SetEnv is the body of PUT /projects/{projectId}/env.
type SetEnv struct {
	Variables []SetVar `json:"variables" minItems:"1" maxItems:"500" nullable:"false"`
}

// SetVar is one variable to set.
type SetVar struct {
	Name  string          `json:"name"`
	Value string          `json:"value"`
	For   anchor.EnvPhase `json:"for,omitempty" enum:"build,run,both" doc:"When it is set; both by default"`

	Environment anchor.Environment `json:"environment,omitempty" enum:"production,preview" doc:"The deployments that get it; all by default"`
	Branch      string             `json:"branch,omitempty" maxLength:"255" doc:"The branch whose previews get it; all by default"`
}

// Env answers GET /projects/{projectId}/env. Without reveal every value is "".
type Env struct {
	Items    []anchor.EnvVar `json:"items" nullable:"false"`
	Revealed bool            `json:"revealed"`
}

// BuildEnv answers GET /projects/{projectId}/env/build.
type BuildEnv struct {
	Variables map[string]string `json:"variables"`
}

// Connect is the body of PUT /projects/{projectId}/connection.
type Connect struct {
	Host       anchor.Host `json:"host" enum:"github,gitlab,gitea,bitbucket,plain"`
	Repository string      `json:"repository" minLength:"1" maxLength:"1000" doc:"What to clone: an https or ssh URL without a password"`
	APIURL     string      `json:"apiUrl,omitempty" maxLength:"1000" doc:"Root of the host's API; that of the public service or of the repository's server by default"`
	Token      string      `json:"token,omitempty" maxLength:"4096" doc:"Of the host's API; stored encrypted and never shown"`
	AppID      int64       `json:"appId,omitempty" doc:"Of a GitHub App, in place of a token"`
	Install    int64       `json:"installationId,omitempty"`
	AppKey     string      `json:"appKey,omitempty" maxLength:"16384" doc:"Private key of the GitHub App, PEM"`
	WatchPaths []string    `json:"watchPaths,omitempty" maxItems:"100" doc:"Patterns of Git (pathspec, glob); a commit that changes none of them is not built"`
	HookURL    string      `json:"hookUrl,omitempty" maxLength:"1000" doc:"Root of this server as the host sees it; Anchor then creates the webhook and the deploy key"`
	Rotate     bool        `json:"rotate,omitempty" doc:"Replace the secret and the deploy key"`
}

// Approve is the body of POST /projects/{projectId}/pulls/{number}/approve.
type Approve struct {
	Commit string `json:"commit,omitempty" maxLength:"64" doc:"The commit that was looked at; another one is refused"`
}

// Items is a list that has one page only.
type Items[T any] struct {
	Items []T `json:"items" nullable:"false"`
}

// CreateToken is the body of POST /tokens.
type CreateToken struct {
	Name  string       `json:"name" minLength:"1" maxLength:"100"`
	Scope anchor.Scope `json:"scope" enum:"read,deploy,admin"`

	Projects  []string `json:"projects,omitempty" maxItems:"100" doc:"Ids or slugs of the only projects that it is for; all by default"`
	ExpiresAt int64    `json:"expiresAt,omitempty" minimum:"0" doc:"Unix milliseconds; it does not expire by default"`
}

// CreatedToken answers CreateToken. The secret is shown this once.
type CreatedToken struct {
	anchor.Token
	Secret string `json:"secret"`
}

// Check is one finding of the doctor.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Hint   string `json:"hint,omitempty"`
}

// Version answers GET /version.
type Version struct {
	Version string `json:"version"`
}

// Health answers GET /health.
type Health struct {
	Status string `json:"status" example:"ok"`
}

// Problem is an error as RFC 9457 shapes it, with two members of our own.
type Problem struct {
	Type      string `json:"type" example:"about:blank" doc:"about:blank: the code says more (RFC 9457 §4.2.1)"`
	Title     string `json:"title" example:"Not Found"`
	Status    int    `json:"status" example:"404"`
	Detail    string `json:"detail" doc:"What happened to what"`
	Code      string `json:"code" example:"unknown_project" doc:"Stable, for programs"`
	Hint      string `json:"hint,omitempty" doc:"What to do next"`
	RequestID string `json:"requestId,omitempty" doc:"Names the request in the server's log"`
}

// EventEnd is the name of the server-sent event after which a stream holds
// nothing more; a stream that ends without it, or EventMore, was cut off.
const (
	EventEnd   = "done" // no anchor.Phase has one of these names
	EventMore  = "more" // the answer is over: ask for what comes after the last id
	EventError = "error"
)

// GzipType is the media type of a JSON body that is compressed with gzip. A Content-Encoding would
// not do: API Gateway passes a body of type application/json on as text, which destroys compressed
// bytes (API Gateway, "Working with binary media types for HTTP APIs").
const GzipType = "application/gzip"

// PackType is the media type of a filepack. Clients up to 0.1 send PackTypeV1.
const (
	PackType   = "application/x-tar"
	PackTypeV1 = "application/vnd.anchor.filepack"
)

// Status answers GET /status: what runs here.
type Status struct {
	Version  string `json:"version"`
	Platform string `json:"platform" enum:"local,aws"`
	UptimeMS int64  `json:"uptimeMs"`
	Sites    string `json:"sites" doc:"Pattern of the sites' URLs"`
	API      string `json:"api"`
	Data     string `json:"data"`
	Node     string `json:"node" doc:"Version of Node.js"`
	// Target is absent where the server is older than it.
	Target *Machine `json:"target,omitempty" doc:"The machines that functions run on: what a build is for"`
	// Isolation is absent where the platform isolates functions by itself.
	Isolation *Isolation `json:"isolation,omitempty" doc:"What keeps projects' workers apart, on local"`
	Disk      Disk       `json:"disk"`
	Live      []Serving  `json:"live" nullable:"false"`
	Workers   []Worker   `json:"workers" nullable:"false"`
	HTTP3     string     `json:"http3,omitempty" doc:"Whether HTTP/3 is served and, if not, why; absent without HTTPS"`
}

// Machine describes machines in the names of Node.js (process.platform, process.arch) and npm (libc).
type Machine struct {
	OS   string `json:"os" example:"linux"`
	Arch string `json:"arch" example:"x64" doc:"Empty where functions run on the machines that their build is for"`
	Libc string `json:"libc,omitempty" example:"glibc" doc:"Of linux: glibc or musl"`
}

// Isolation is what keeps projects' workers from each other and from the server.
type Isolation struct {
	Level int    `json:"level" minimum:"0" maximum:"3" doc:"3 is the strongest, 0 is none"`
	Name  string `json:"name" doc:"What the level consists of"`
	Why   string `json:"why,omitempty" doc:"Why the level is not higher"`

	Limits string `json:"limits,omitempty" doc:"Which limits of projects are enforced, and for what"`
}

// Disk is the disk of the data folder.
type Disk struct {
	FreeBytes     uint64 `json:"freeBytes"`
	ArtifactBytes int64  `json:"artifactBytes" doc:"Contents of all artifacts, each once"`
	DataBytes     int64  `json:"dataBytes" doc:"All of the data folder, each file once"`
	Shelved       int    `json:"shelved" doc:"Pruned deployments whose hashed files are kept for a time"`
	Trashed       int    `json:"trashed" doc:"Removed deployments that stay in the trash for a day"`
}

// Serving is a project with the deployment that its traffic reaches.
type Serving struct {
	Project
	DeploymentID anchor.DeploymentID `json:"deploymentId"`
	Version      string              `json:"version"`
	Split        *ProjectSplit       `json:"split,omitempty" doc:"The other deployment that gets a share of the traffic"`
	DividedSince int64               `json:"dividedSince,omitempty" doc:"Since when (Unix milliseconds) some requests may reach another deployment, because a switch failed half-way"`
}

// Worker describes the processes of one function.
type Worker struct {
	DeploymentID anchor.DeploymentID `json:"deploymentId"`
	Slug         string              `json:"slug"`
	Function     string              `json:"function"`
	Processes    int                 `json:"processes" doc:"Up and able to serve"`
	Starting     int                 `json:"starting"`
	InFlight     int                 `json:"inFlight"`
	Queued       int                 `json:"queued"`
	Restarts     int                 `json:"restarts" doc:"Processes that ended by themselves"`
	MemoryKills  int64               `json:"memoryKills,omitempty" doc:"Processes killed at the project's memory limit, all its functions together"`
	MemoryBytes  int64               `json:"memoryBytes" doc:"Resident"`
}

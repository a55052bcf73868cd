package api

import (
	"context"
	"io"
	"iter"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/domains"
	"github.com/anchor-deploy/anchor/internal/release"
)

// Projects keeps the projects.
type Projects interface {
	// Create makes a project: ErrInvalid on a bad slug, ErrConflict on a taken one.
	Create(ctx context.Context, slug, productionBranch string) (anchor.Project, error)
	// Get finds a project by id or slug, ErrNotFound.
	Get(ctx context.Context, idOrSlug string) (anchor.Project, error)
	List(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error)
	// Limits returns a project's limits, ErrNotFound; SetLimits replaces them, ErrInvalid for
	// limits out of range and where the platform has none.
	Limits(ctx context.Context, idOrSlug string) (anchor.ProjectLimits, error)
	SetLimits(ctx context.Context, idOrSlug string, l anchor.Limits) (anchor.ProjectLimits, error)
	// Delete takes a project and all that hangs on it away, ErrNotFound. Where that takes
	// long it begins it: the project is Removing until it is gone.
	Delete(ctx context.Context, idOrSlug string) error
}

// Env keeps a project's environment variables.
type Env interface {
	// Set writes all of vars or, on an ErrInvalid, none.
	Set(ctx context.Context, p anchor.ProjectID, vars []anchor.EnvVar) error
	// List gives the variables by name; values are "" unless reveal.
	List(ctx context.Context, p anchor.ProjectID, reveal bool) ([]anchor.EnvVar, error)
	// ForBuild gives the values of those that a build is given, by name.
	ForBuild(ctx context.Context, p anchor.ProjectID) (map[string]string, error)
	// Remove takes one variable away, ErrNotFound.
	Remove(ctx context.Context, p anchor.ProjectID, name string) error
}

// Deploys takes uploads and runs the pipeline. A deployment of another project
// is ErrNotFound everywhere.
type Deploys interface {
	// Start checks the manifest and records a deployment that waits for its files.
	Start(ctx context.Context, p anchor.ProjectID, r deploy.Request) (deploy.Started, error)
	// Missing gives what has not arrived yet.
	Missing(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) ([]artifact.Digest, error)
	// Files gives a file of the deployment for each digest: ErrInvalid for a digest
	// of none, ErrConflict once the deployment waits for no files.
	Files(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, digests []artifact.Digest) ([]artifact.File, error)
	// PutFile stores one content, ErrInvalid when it is not what digest says. It
	// is idempotent and reads no more than size bytes and one.
	PutFile(ctx context.Context, p anchor.ProjectID, digest artifact.Digest, size int64, content io.Reader) error
	// Finish says that every file has arrived and lets the pipeline begin; it does
	// not wait for the pipeline.
	Finish(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) (anchor.Deployment, error)
	// Cancel ends a deployment that has not ended, ErrConflict if it has.
	Cancel(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) (anchor.Deployment, error)
	Get(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) (anchor.Deployment, error)
	List(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Deployment], error)
	// Watch replays the events with a Seq above after, follows, and ends after the
	// one that says the deployment has ended, or when ctx is done.
	Watch(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, after int64) (iter.Seq2[anchor.Event, error], error)
}

// Builds makes deployments of commits, where that is done for the user.
type Builds interface {
	// StartBuild records a deployment and starts the build of its artifact; it does
	// not wait for it. The same Key gives the same deployment.
	StartBuild(ctx context.Context, p anchor.ProjectID, r deploy.BuildRequest) (anchor.Deployment, error)
}

// Uploads lets clients send contents past the API, straight to where they are kept.
type Uploads interface {
	// Presign gives for each content a URL that takes it and nothing else for some
	// minutes. It does not look whether the content is there.
	Presign(ctx context.Context, files []artifact.File) ([]artifact.Upload, error)
}

// Releases moves the live pointer.
type Releases interface {
	Promote(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) (release.Result, error)
	// Rollback brings target back, or with "" what was live before the current one.
	Rollback(ctx context.Context, p anchor.ProjectID, target anchor.DeploymentID) (release.Result, error)
	List(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error)
	// Live gives the pointer, ErrNotFound before the first release.
	Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error)
}

// Domains keeps the projects' own names. Each is found by id or name; one of
// another project is ErrNotFound.
type Domains interface {
	// Add attaches a name, ErrInvalid when it can be none, ErrConflict when it is
	// attached already. It does not wait for the DNS or the certificate.
	Add(ctx context.Context, p anchor.ProjectID, r domains.Request) (domains.View, error)
	// List gives them without a Diagnosis.
	List(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[domains.View], error)
	// Get asks the DNS.
	Get(ctx context.Context, p anchor.ProjectID, idOrName string) (domains.View, error)
	// Check is Get, and whatever waits for the DNS is tried again at once.
	Check(ctx context.Context, p anchor.ProjectID, idOrName string) (domains.View, error)
	// Set changes how the edge answers for the name, in one step.
	Set(ctx context.Context, p anchor.ProjectID, idOrName string, set domains.Settings) (domains.View, error)
	// Remove takes the name from the edge and gives its certificate up.
	Remove(ctx context.Context, p anchor.ProjectID, idOrName string) error
	// Move makes another project answer for the name, in one step.
	Move(ctx context.Context, p anchor.ProjectID, idOrName string, to anchor.ProjectID) (domains.View, error)
}

// Access keeps the tokens.
type Access interface {
	Create(ctx context.Context, name string, scope anchor.Scope) (secret string, t anchor.Token, err error)
	// Check finds the token of a secret: KindUnauthorized when unknown or revoked.
	Check(ctx context.Context, secret string) (anchor.Token, error)
	List(ctx context.Context) ([]anchor.Token, error)
	Revoke(ctx context.Context, id string) error
}

// Logs reads what the apps wrote. With no deployment it means all of the project's.
type Logs interface {
	// Last yields the last limit lines, oldest first. An error is the last item.
	Last(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, limit int) iter.Seq2[anchor.LogLine, error]
	// Follow gives the lines written from now on, until ctx is done.
	Follow(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) iter.Seq2[anchor.LogLine, error]
}

// Tail is Logs that can be followed over many answers without a gap. It is asked for
// with a WatchFor.
type Tail interface {
	Logs
	// Settled is up to when (Unix milliseconds) what there is will not change any more.
	Settled() int64
	// Since gives the settled lines with a Time of from or later, and then those to
	// come, until ctx is done. Asked again, it gives the same in the same order.
	Since(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, from int64) iter.Seq2[anchor.LogLine, error]
}

// Sites knows where projects and deployments can be seen.
type Sites interface {
	// URLs gives both without a trailing slash; deployment is "" when d is.
	URLs(p anchor.Project, d anchor.DeploymentID) (site, deployment string)
}

// System tells of the installation.
type System interface {
	Status(ctx context.Context) (wire.Status, error)
	Doctor(ctx context.Context) []wire.Check
}

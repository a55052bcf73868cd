// Package deploy is the use-case that takes an uploaded artifact to a deployed,
// and usually live, deployment in steps that can each be run again.
package deploy

import (
	"context"
	"io"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// Records keeps deployments.
type Records interface {
	// CreateDeployment inserts d: ErrConflict when its id is taken, ErrNotFound
	// when its project is unknown. Durable on return.
	CreateDeployment(ctx context.Context, d anchor.Deployment) error

	// Deployment returns one deployment or ErrNotFound.
	Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error)

	// Deployments returns a page of a project's deployments, newest first.
	Deployments(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Deployment], error)

	// UpdateDeployment writes d if the stored status is from and d's status is
	// from or a move from it, else ErrConflict. Durable on return.
	UpdateDeployment(ctx context.Context, d anchor.Deployment, from anchor.Status) error

	// Unfinished returns every deployment that has not ended, oldest first.
	Unfinished(ctx context.Context) ([]anchor.Deployment, error)
}

// Journal keeps what the steps did.
type Journal interface {
	// Append stores e under the next Seq of its deployment and returns it.
	Append(ctx context.Context, e anchor.Event) (anchor.Event, error)

	// Events returns the deployment's events with a Seq above after, in order.
	Events(ctx context.Context, id anchor.DeploymentID, after int64) ([]anchor.Event, error)
}

// Bundles keeps uploaded artifacts by content.
type Bundles interface {
	// SaveManifest ties m to the deployment, once and for all. Durable on return.
	SaveManifest(ctx context.Context, id anchor.DeploymentID, m artifact.Manifest) error
	// Manifest returns the deployment's manifest, ErrNotFound when it has none or it was
	// removed.
	Manifest(ctx context.Context, id anchor.DeploymentID) (artifact.Manifest, error)
	// Missing returns the digests of the deployment's files that are not there yet.
	Missing(ctx context.Context, id anchor.DeploymentID) ([]artifact.Digest, error)
	// Put stores one file's content: an Invalid error when its digest differs.
	Put(ctx context.Context, digest artifact.Digest, size int64, content io.Reader) error
	// Sync makes the deployment's files durable.
	Sync(ctx context.Context, id anchor.DeploymentID) error
	// Unpack lays the deployment's files out and returns the folder. It keeps what was laid out
	// before. The tree is durable on return.
	Unpack(ctx context.Context, id anchor.DeploymentID) (dir string, m artifact.Manifest, err error)
}

// Env returns the environment that a deployment runs with.
type Env interface {
	// ForRun returns the project's run-time variables in the scope as they are now.
	ForRun(ctx context.Context, p anchor.ProjectID, scope anchor.EnvScope) (map[string]string, error)
	// Lock fixes the run-time variables for the deployment, the project's in the scope and those of
	// system, and returns them. Later calls return the same values, even when the project's have
	// changed.
	Lock(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, scope anchor.EnvScope, system map[string]string) (map[string]string, error)
	// RemoveBranch removes the variables that only previews of the branch have, and returns their number.
	RemoveBranch(ctx context.Context, p anchor.ProjectID, branch string) (int, error)
}

// Artifact is everything that a platform knows of a deployment.
type Artifact struct {
	Project    anchor.Project
	Deployment anchor.Deployment
	Build      anchor.Build
	Manifest   artifact.Manifest
	Dir        string            // the unpacked .open-next tree
	Env        map[string]string // the app's run-time variables
}

// Note reports a step's progress to the user in one line.
type Note func(format string, args ...any)

// Limits refuses what the platform cannot run before anything is touched.
type Limits interface {
	// CheckManifest refuses, before the files are sent, what Check would refuse for the
	// manifest alone or for env, the environment that a deployment would be locked with now.
	CheckManifest(p anchor.Project, m artifact.Manifest, env map[string]string) error
	// Check reads the files and the locked environment as well.
	Check(ctx context.Context, a Artifact) error
}

// Assets stores static files where the edge finds them.
type Assets interface {
	// Upload is idempotent and skips files that are stored already, by digest. Hashed files
	// join those of the project's other deployments; public ones belong to the deployment
	// alone.
	Upload(ctx context.Context, a Artifact, note Note) error
	// AssetsPath returns where the deployment's own public files are, for its record.
	AssetsPath(d anchor.Deployment) string
	// Purge drops what the edge cached of the deployment live before and may no longer serve.
	Purge(ctx context.Context, live anchor.Live) error
}

// Functions publishes and tries the deployment's functions.
type Functions interface {
	// Publish makes an immutable version of every function, code and environment together. A
	// second call returns the same versions.
	Publish(ctx context.Context, a Artifact, note Note) (map[string]anchor.FunctionVersion, error)
	// Probe asks the new version for a page through its own URL and fails on
	// anything but a sane answer.
	Probe(ctx context.Context, a Artifact, note Note) error
}

// Cache seeds the deployment's incremental cache and tag table. It is idempotent
// and never overwrites what the app wrote since.
type Cache interface {
	Seed(ctx context.Context, a Artifact, note Note) error
}

// Prestarter is a Platform that can begin to start functions before they are published.
type Prestarter interface {
	// Prestart begins to start the functions of a checked artifact and does not wait for them: the
	// static files are prepared meanwhile. Probe reports what fails. Nothing of it is left when the
	// deployment is removed.
	Prestart(ctx context.Context, a Artifact)
}

// Package recordstest is the suite that every implementation of the records passes. It does not
// assume SQL: it reads single records after they are written, and tests atomicity only where
// Store's comments promise it.
package recordstest

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Store is the union of the records that the use-cases need. Each of them declares its own part
// as a port.
//
// For every method: errors are *anchor.Error of the kind named. After an error nothing was
// written, or (a lost answer) all of it. "Durable" means that a write survives a power cut once
// the method has returned. A context that ended before the call returns its error, with nothing
// written. Records come back with every field.
//
// Lists are newest first (deployments by Order, releases by revision, all others by id) and
// never nil; for an unknown project or deployment they are empty. Paging returns every row that
// existed at the first page once, whatever is inserted meanwhile. A malformed cursor is
// Invalid.
type Store interface {
	Projects
	Deployments
	Live
	Journal
	Tokens
	Env
	Hostnames
}

// Projects keeps projects.
type Projects interface {
	// CreateProject inserts p, durable: Conflict "slug_taken" or "id_taken".
	CreateProject(ctx context.Context, p anchor.Project) error
	// Project and ProjectBySlug return one project or NotFound.
	Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error)
	ProjectBySlug(ctx context.Context, slug string) (anchor.Project, error)
	// Projects lists all.
	Projects(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error)
	// SetLimits replaces the project's limits, durable; NotFound.
	SetLimits(ctx context.Context, id anchor.ProjectID, l anchor.Limits) error
	// SetPreviewRetention replaces the project's retention of previews, durable; NotFound.
	SetPreviewRetention(ctx context.Context, id anchor.ProjectID, r anchor.PreviewRetention) error
	// RetireProject marks the project as being removed, in one durable step. It is Removing from
	// then on, and has no live pointer and no variables. Everything new in it is refused with
	// NotFound "project_removing": deployments, releases, places in the order of requests,
	// variables, limits, hostnames, and hostnames that move to it. Its slug stays taken. All
	// else stays as it is and can still be changed or removed: deployments end, hostnames are
	// detached. Idempotent; NotFound when it does not exist.
	RetireProject(ctx context.Context, id anchor.ProjectID) error
	// DeleteProject removes the project and everything that belongs to it: deployments,
	// releases, journals, environments, hostnames. Durable; NotFound when it does not exist.
	DeleteProject(ctx context.Context, id anchor.ProjectID) error
	// Removed reports whether the deployment was deleted with its project, however long
	// ago: what the records never held is not removed. Durable before DeleteProject deletes
	// the deployment.
	Removed(ctx context.Context, id anchor.DeploymentID) (bool, error)
}

// Deployments keeps deployments.
type Deployments interface {
	// CreateDeployment inserts d, durable, under the next Order of its project, which
	// is above every one handed out there before: Conflict when its id is taken,
	// NotFound when its project is unknown.
	CreateDeployment(ctx context.Context, d anchor.Deployment) error
	// Deployment returns one or NotFound.
	Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error)
	// UpdateDeployment writes d if the stored status is from and d's status is from or a move
	// from it, else Conflict. NotFound when the project has no deployment of its id. Durable.
	// Without a move it is idempotent. The Order stays.
	UpdateDeployment(ctx context.Context, d anchor.Deployment, from anchor.Status) error
	// Unfinished returns every deployment that has not ended, of all projects, those of a
	// project together and oldest first.
	Unfinished(ctx context.Context) ([]anchor.Deployment, error)
	// Deployments lists the project's.
	Deployments(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Deployment], error)
	// Kept returns the project's that can serve (anchor.Deployment.CanServe), newest first.
	Kept(ctx context.Context, p anchor.ProjectID) ([]anchor.Deployment, error)
	// Number returns the deployment's number within its project: unique, above all earlier
	// ones, and the same on every call. Durable; NotFound.
	Number(ctx context.Context, id anchor.DeploymentID) (int64, error)
}

// Live keeps the live pointers and the releases that moved them.
type Live interface {
	// Live returns the pointer, NotFound before the first release.
	Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error)
	// Lives returns the pointers of all projects that have one, in any order.
	Lives(ctx context.Context) ([]anchor.Live, error)
	// Accept hands out the project's next place in the order of requests, durable:
	// above every one that it or CreateDeployment handed out before. NotFound.
	Accept(ctx context.Context, p anchor.ProjectID) (order int64, err error)
	// Move is the compare-and-swap. In one durable transaction it
	//   - moves the pointer of to.ProjectID to to, if its revision still is from.Revision (0
	//     before the first release);
	//   - appends to with the next revision to the releases (to.Revision is ignored), under the
	//     Order of a deploy's record, else its own or, when that is 0, the next one, which a
	//     rollback's record gets too;
	//   - writes record when it is not nil: inserts it when IsRollback, else moves the stored
	//     one from deploying to record.Status.
	//
	// Conflict when the pointer moved, the release's id exists or the record cannot be written
	// so. NotFound when the project is unknown or to.Deployment does not belong to it.
	Move(ctx context.Context, from anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error)
	// Releases lists the project's moves. They are kept forever.
	Releases(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error)
	// Undo moves the pointer back from failed, a release that traffic did not follow. In one
	// durable transaction it
	//   - moves the pointer of to.ProjectID to to, of kind ReleaseUndo and failed's Record, if
	//     its revision still is failed.Revision;
	//   - appends to with the next revision to the releases, under its own Order;
	//   - writes record when it is not nil: it moves the stored one from deployed to
	//     deploy_failed.
	//
	// Conflict when the pointer moved, the release's id exists or the record cannot be written
	// so. NotFound when the project is unknown or to.Deployment does not belong to it.
	Undo(ctx context.Context, failed anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error)
	// SetDivided notes on the pointer and on its release since when traffic has not followed it
	// (Unix milliseconds), or 0 for that it follows. Durable. Conflict when the pointer's
	// revision is not live.Revision. The next move removes the note.
	SetDivided(ctx context.Context, live anchor.Live, since int64) error
	// LastLive returns the deployment that was live before the current one, or NotFound. Of a
	// release that was undone it returns nothing.
	LastLive(ctx context.Context, p anchor.ProjectID) (anchor.DeploymentID, error)
}

// Journal keeps what the steps of deployments did.
type Journal interface {
	// Append stores e under the next Seq of its deployment, without gaps, and returns it;
	// NotFound. It survives the end of the process. A power cut may lose the last events, never
	// ones in the middle.
	Append(ctx context.Context, e anchor.Event) (anchor.Event, error)
	// Events returns those with a Seq above after, in order.
	Events(ctx context.Context, id anchor.DeploymentID, after int64) ([]anchor.Event, error)
}

// Tokens keeps the bearer tokens' records.
type Tokens interface {
	// CreateToken inserts t, durable: Conflict when its id or hash is taken.
	CreateToken(ctx context.Context, t anchor.Token) error
	// TokenByHash returns the token, revoked or not, or NotFound.
	TokenByHash(ctx context.Context, hash []byte) (anchor.Token, error)
	// Tokens returns all, newest first.
	Tokens(ctx context.Context) ([]anchor.Token, error)
	// RevokeToken marks the token, durable; NotFound. Idempotent: the first time stays.
	RevokeToken(ctx context.Context, id string, at int64) error
}

// Env keeps environment variables. Values are sealed before they come here: bytes
// in a string.
type Env interface {
	// PutEnv sets all of vars (at most 100) or none; a slot set before is replaced.
	// Durable, idempotent; NotFound when the project is unknown.
	PutEnv(ctx context.Context, p anchor.ProjectID, vars []anchor.EnvVar) error
	// EnvRows returns the project's, by slot.
	EnvRows(ctx context.Context, p anchor.ProjectID) ([]anchor.EnvVar, error)
	// DeleteEnv removes one, durable; NotFound.
	DeleteEnv(ctx context.Context, p anchor.ProjectID, slot anchor.EnvSlot) error
	// LockEnv stores sealed for the deployment unless there is one and returns what is
	// stored. Durable, idempotent; NotFound when the deployment is unknown.
	LockEnv(ctx context.Context, id anchor.DeploymentID, sealed []byte) ([]byte, error)
	// LockedEnv returns what LockEnv stored, NotFound before.
	LockedEnv(ctx context.Context, id anchor.DeploymentID) ([]byte, error)
}

// Hostnames keeps the custom domains.
type Hostnames interface {
	// CreateHostname inserts h at revision 1 (h.Revision is ignored), durable: Conflict
	// "domain_taken" when its name is attached to any project, or "id_taken"; NotFound when its
	// project is unknown.
	CreateHostname(ctx context.Context, h anchor.Hostname) error
	// UpdateHostname writes h if the stored revision is h's and returns it with the next one,
	// durable. Its project may change. Conflict "domain_changed" when the revision differs;
	// NotFound when there is no hostname of its id and name, or no such project.
	UpdateHostname(ctx context.Context, h anchor.Hostname) (anchor.Hostname, error)
	// DeleteHostname removes it, durable, idempotent.
	DeleteHostname(ctx context.Context, id anchor.HostnameID) error
	// Hostname and HostnameByName return one hostname or NotFound.
	Hostname(ctx context.Context, id anchor.HostnameID) (anchor.Hostname, error)
	HostnameByName(ctx context.Context, name string) (anchor.Hostname, error)
	// Hostnames lists the project's, all when p is "".
	Hostnames(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Hostname], error)
	// DueHostnames returns at most limit with 0 < NextCheck <= at, by NextCheck.
	DueHostnames(ctx context.Context, at int64, limit int) ([]anchor.Hostname, error)
}

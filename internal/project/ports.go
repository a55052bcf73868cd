// Package project is the use-case of projects and of their environment
// variables, which are sealed before anything keeps them.
package project

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Records keeps projects.
type Records interface {
	// CreateProject inserts p, durable on return: a Conflict "slug_taken" when the
	// slug is another's.
	CreateProject(ctx context.Context, p anchor.Project) error
	// Project and ProjectBySlug return one project or ErrNotFound.
	Project(ctx context.Context, id anchor.ProjectID) (anchor.Project, error)
	ProjectBySlug(ctx context.Context, slug string) (anchor.Project, error)
	// Projects lists all, newest first.
	Projects(ctx context.Context, page anchor.Page) (anchor.List[anchor.Project], error)
	// SetLimits replaces the project's limits, durable on return, or is ErrNotFound.
	SetLimits(ctx context.Context, id anchor.ProjectID, l anchor.Limits) error
	// SetPreviewRetention replaces the project's retention of previews, durable on return, or is
	// ErrNotFound.
	SetPreviewRetention(ctx context.Context, id anchor.ProjectID, r anchor.PreviewRetention) error
	// RetireProject marks the project as being removed, durable on return, or is ErrNotFound.
	// From then on nothing can be added to it. Idempotent.
	RetireProject(ctx context.Context, id anchor.ProjectID) error
	// DeleteProject removes the project's records, all of them, durable on return,
	// or is ErrNotFound.
	DeleteProject(ctx context.Context, id anchor.ProjectID) error
}

// Domains removes the custom domains of a project.
type Domains interface {
	// RemoveAll is idempotent. The error is KindBusy while some domains are still being removed;
	// the next call continues.
	RemoveAll(ctx context.Context, p anchor.ProjectID) error
}

// Remover removes what a platform keeps of a project: traffic, processes, files.
type Remover interface {
	// RemoveProject is called while the records of the project still exist. It is idempotent, and
	// succeeds for a project that the platform does not have. The error is KindBusy while the
	// platform still works on it; the next call continues.
	RemoveProject(ctx context.Context, p anchor.ProjectID) error
}

// Deployments ends the deployments of a project.
type Deployments interface {
	// CancelAll cancels those that have not ended, of which some may end later. Idempotent.
	CancelAll(ctx context.Context, p anchor.ProjectID) error
	// Exclusive does work while no deployment of the project is processed. The error is KindBusy,
	// and nothing is done, when one is.
	Exclusive(ctx context.Context, p anchor.ProjectID, work func(context.Context) error) error
}

// Limiter enforces limits where the platform can.
type Limiter interface {
	// Limit enforces the project's limits as the records have them, on running processes too.
	Limit(ctx context.Context, p anchor.ProjectID) error
	// Enforcement returns what is enforced for the project, and LimitUsage what it uses.
	Enforcement(p anchor.ProjectID) anchor.Enforcement
	LimitUsage(p anchor.ProjectID) anchor.LimitUsage
}

// SettingsRecords keeps the settings of projects where the platform has such.
type SettingsRecords interface {
	// ProjectSettings returns a project's settings, the zero record when nothing was stored.
	ProjectSettings(ctx context.Context, p anchor.ProjectID) (anchor.SettingsRecord, error)
	// SetProjectSettings replaces what was set, durable on return, or is ErrNotFound.
	SetProjectSettings(ctx context.Context, p anchor.ProjectID, set anchor.Settings) error
}

// Variables keeps sealed environment variables: bytes in a string.
type Variables interface {
	// PutEnv sets all of vars (at most 100) or none, durable on return; ErrNotFound
	// when the project is unknown. Idempotent.
	PutEnv(ctx context.Context, p anchor.ProjectID, vars []anchor.EnvVar) error
	// EnvRows returns the project's variables, by slot.
	EnvRows(ctx context.Context, p anchor.ProjectID) ([]anchor.EnvVar, error)
	// DeleteEnv removes one, durable on return, or is ErrNotFound.
	DeleteEnv(ctx context.Context, p anchor.ProjectID, slot anchor.EnvSlot) error
	// LockEnv stores sealed for the deployment unless there is one and returns what is stored;
	// durable on return. ErrNotFound when the deployment is unknown.
	LockEnv(ctx context.Context, d anchor.DeploymentID, sealed []byte) ([]byte, error)
	// LockedEnv returns what LockEnv stored, ErrNotFound before.
	LockedEnv(ctx context.Context, d anchor.DeploymentID) ([]byte, error)
}

// Box seals values for one place: they open nowhere else.
type Box interface {
	Seal(plain []byte, place ...string) []byte
	Open(sealed []byte, place ...string) ([]byte, error)
	// Derive returns a key of 32 bytes for one place, the same at every call.
	Derive(place ...string) ([]byte, error)
}

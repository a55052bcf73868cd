// Package release moves the live pointer of a project: it is the use-case of
// promoting, rolling back and of a deployment's own going live, and of keeping
// what any of these may still need.
package release

import (
	"context"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Pointer holds the live pointer of every project.
type Pointer interface {
	// Live returns the pointer, ErrNotFound before the first release.
	Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error)

	// Accept returns the project's next place in the order of requests: above every
	// one before. ErrNotFound when the project is unknown.
	Accept(ctx context.Context, p anchor.ProjectID) (order int64, err error)

	// Move is the one compare-and-swap that every release depends on. In one transaction,
	// durable on return, it
	//   - moves the pointer of to.ProjectID to to, if its revision still is
	//     from.Revision (0 before the first release), else ErrConflict;
	//   - appends to with its new revision to the releases, under to.Order, the
	//     record's for a deploy, or the next one when that is 0;
	//   - writes record when it is not nil: inserts it (a rollback's), or moves
	//     the stored one from deploying to record.Status (a deploy's), else
	//     ErrConflict.
	// After an error none of it happened, or (a lost answer) all of it.
	Move(ctx context.Context, from anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error)

	// Undo moves the pointer back from failed, a release that traffic did not follow. In one
	// transaction, durable on return, it
	//   - moves the pointer of to.ProjectID to to, if its revision still is failed.Revision,
	//     else ErrConflict;
	//   - appends to with its new revision to the releases, under to.Order;
	//   - moves the stored record from deployed to deploy_failed, as record says, when record
	//     is not nil, else ErrConflict.
	// After an error none of it happened, or (a lost answer) all of it.
	Undo(ctx context.Context, failed anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error)
}

// Traffic makes requests follow the pointer. Its methods are safe for concurrent use, also for
// one project: of two switches, the one to the later revision holds.
type Traffic interface {
	// Prepare does everything that can be done before the pointer moves to the deployment that
	// target returns: it reads what Commit needs and starts functions, so that Commit is short
	// and finds warm functions. It calls target once, while it reads what it can of the project
	// without it, and returns an error of target unchanged. Live traffic stays as it is,
	// whether the Switch is committed or dropped.
	//
	// When ctx ends before the functions have started, Prepare returns ctx's error, or a Switch
	// if it has read what Commit needs.
	Prepare(ctx context.Context, p anchor.ProjectID, target func(context.Context) (anchor.Deployment, error)) (Switch, error)

	// Follow sends production traffic to live without a Switch, and reads what it needs. It is
	// idempotent and never moves traffic to an older revision.
	Follow(ctx context.Context, live anchor.Live) error
}

// Switch is a prepared change of a project's production traffic. It holds what Prepare read,
// so that any number of them may be prepared at a time.
type Switch interface {
	// Commit sends production traffic to live: to the deployment that Prepare was called for,
	// at a revision that the pointer reached after Prepare returned. It is idempotent and never
	// moves traffic to an older revision. It reads again what others changed since Prepare.
	Commit(ctx context.Context, live anchor.Live) error
}

// SwitchFunc is a Switch that is one function.
type SwitchFunc func(ctx context.Context, live anchor.Live) error

// Commit calls f.
func (f SwitchFunc) Commit(ctx context.Context, live anchor.Live) error { return f(ctx, live) }

// SwitchReader is implemented by Records that read at once what a switch needs of them. Where the records
// are a network away, this saves calls.
type SwitchReader interface {
	// SwitchRecords returns a deployment and the project's pointer as they are at the same time. The
	// error is that of Records.Deployment; before the first release the pointer is its zero value.
	SwitchRecords(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) (anchor.Deployment, anchor.Live, error)
}

// Records reads what the use-case decides on, and notes what became of it.
type Records interface {
	DivisionRecords
	Releases(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error)
	// LastLive returns the deployment that was live before the current one, or ErrNotFound.
	LastLive(ctx context.Context, p anchor.ProjectID) (anchor.DeploymentID, error)
}

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
	// Live gives the pointer, ErrNotFound before the first release.
	Live(ctx context.Context, p anchor.ProjectID) (anchor.Live, error)

	// Accept hands out the project's next place in the order of requests: above every
	// one before. ErrNotFound when the project is unknown.
	Accept(ctx context.Context, p anchor.ProjectID) (order int64, err error)

	// Move is the one compare-and-swap that everything hangs on. In one
	// transaction, durable on return, it
	//   - moves the pointer of to.ProjectID to to, if its revision still is
	//     from.Revision (0 before the first release), else ErrConflict;
	//   - appends to with its new revision to the releases, under to.Order, the
	//     record's for a deploy, or the next one when that is 0;
	//   - writes record when it is not nil: inserts it (a rollback's), or moves
	//     the stored one from deploying to record.Status (a deploy's), else
	//     ErrConflict.
	// After an error nothing of it happened, or (a lost answer) all of it.
	Move(ctx context.Context, from anchor.Live, to anchor.Release, record *anchor.Deployment) (anchor.Live, error)
}

// Traffic makes requests follow the pointer. One release of a project at a time goes
// through it: Ready, the pointer's move, Route.
type Traffic interface {
	// Expect says that Ready will be called for a deployment of the project, before it
	// is known for which: to look up then what Ready would have to. It changes nothing,
	// and what it cannot look up Ready does.
	Expect(ctx context.Context, p anchor.ProjectID)

	// Ready brings the deployment's functions up, so that Route meets warm ones.
	// It is idempotent; its error leaves live traffic as it was.
	Ready(ctx context.Context, d anchor.Deployment) error

	// Route sends production traffic to live. It is idempotent and never goes
	// back to an older revision.
	Route(ctx context.Context, live anchor.Live) error
}

// Records reads what the use-case decides on.
type Records interface {
	Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error)
	Releases(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Release], error)
	// LastLive gives the deployment that was live before the one that is, or ErrNotFound.
	LastLive(ctx context.Context, p anchor.ProjectID) (anchor.DeploymentID, error)
}

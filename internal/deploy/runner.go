package deploy

import (
	"context"
	"errors"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Runner decides where and when passes run, and keeps the passes of one project apart.
type Runner interface {
	// Start makes pass run for d when the older deployments of its project that wait have had
	// their passes and no other pass of the project runs. A Runner whose passes run in other
	// processes makes one of them call Service.RunPass instead. Start may be called again for a
	// deployment that waits or runs. What it started is lost with the process.
	Start(ctx context.Context, d anchor.Deployment, pass func(context.Context)) error

	// Resume is Start for a deployment whose earlier Start may be lost. It does nothing while
	// another process runs a pass of the project: that process, or the next Resume, comes to d.
	Resume(ctx context.Context, d anchor.Deployment, pass func(context.Context)) error

	// Cancel ends the context of d's pass with cause. It returns false when no pass of d runs in
	// this process.
	Cancel(d anchor.DeploymentID, cause error) bool

	// CleanUp makes clean run, which removes what a deployment left that has ended, in a process
	// where passes run. It may return before clean has run, and drop what it cannot start: the
	// platform's sweep removes it later.
	CleanUp(ctx context.Context, ended anchor.Deployment, clean func(context.Context))

	// Exclusive runs work while nobody else works on the project for the purpose; the passes
	// work on it for Passes. While somebody else does, Exclusive waits, or returns ErrHeld
	// without running work. The context of work ends when the right to be alone is lost.
	Exclusive(ctx context.Context, p anchor.ProjectID, purpose Purpose, work func(context.Context) error) error

	// WatchInterval bounds the sleep of a journal's watcher: a pass in another process does not
	// wake it.
	WatchInterval() time.Duration

	// Close ends the contexts of the passes that run in this process and waits for their return.
	// A Start after that does nothing.
	Close()
}

// Purpose is what a process works on a project for. Different purposes do not exclude each
// other.
type Purpose string

// The purposes that Exclusive keeps apart.
const (
	Passes      Purpose = "deploy" // running passes, or what must not meet one
	BuildStarts Purpose = "build"  // recording requested builds
)

// ErrHeld reports that somebody else works on the project for the purpose.
var ErrHeld = errors.New("the project is in use")

package server

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/local/nodejs"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// AutoNode is the Config.Node that installs the Node.js on which pages render fastest.
const AutoNode = nodejs.Auto

// openNode finds the Node.js that runs the sites, or installs one without which none can run.
func (a *app) openNode(ctx context.Context) (err error) {
	store := &nodejs.Store{Dir: filepath.Join(a.Data, "node"), Registry: nodejs.NPM()}
	if a.runtimes, err = nodejs.Open(ctx, a.Node, store); err != nil {
		return nodeMissing(err)
	}
	a.node = a.runtimes.Default()
	a.runtimes.Check = func(ctx context.Context, n worker.Node) error { return a.walls.TryNode(ctx, n) }
	return nil
}

// installNode installs the preferred Node.js while the server already serves.
func (a *app) installNode(ctx context.Context) { a.runtimes.Run(ctx, a.Log) }

// buildNode is the Node.js of builds. npm stands beside the one of the machine; npm's packages of
// Node.js lack it.
func (a *app) buildNode() worker.Node {
	if a.runtimes.Machine.Path != "" {
		return a.runtimes.Machine
	}
	return a.node
}

func nodeMissing(err error) error {
	var known *anchor.Error
	if errors.As(err, &known) {
		return err
	}
	return anchor.Invalid("no_node", "Anchor needs Node.js %d or newer to run Next.js", worker.MinNodeMajor).
		Hintf("Install it from https://nodejs.org or your system's packages, or pass its path with anchor up --node PATH.").Because(err)
}

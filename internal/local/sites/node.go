package sites

import (
	"context"
	"os"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/local/worker"
)

// chooseNode finds or installs the Node.js that a deployment asks for, and returns what it asks for.
func (p *Platform) chooseNode(ctx context.Context, a deploy.Artifact, note deploy.Note) (opennext.Runtime, error) {
	wanted, err := opennext.ReadRuntime(os.DirFS(a.Dir), a.Build)
	if err != nil || p.Runtimes == nil {
		return wanted, err
	}
	node, problem, err := p.Runtimes.Choose(ctx, wanted)
	if err != nil {
		return wanted, err
	}
	if problem != "" {
		note("%s", problem)
	}
	note("runs on Node.js %s", node.Version)
	return wanted, nil
}

// nodeOf returns the Node.js that runs a deployment, of those that are installed.
func (p *Platform) nodeOf(d Description) worker.Node {
	if p.Runtimes == nil {
		return p.Node
	}
	return p.Runtimes.Find(d.Runtime)
}

// installedNode returns the Node.js that will run a deployment, if that is known and installed.
func (p *Platform) installedNode(d Description) (worker.Node, bool) {
	if p.Runtimes == nil {
		return p.Node, true
	}
	return p.Runtimes.Installed(d.Runtime)
}

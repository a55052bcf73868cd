package sites

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/local/edge"
	"github.com/anchor-deploy/anchor/internal/local/edge/asset"
)

// shelved is a pruned deployment whose hashed files can still be reached.
type shelved struct {
	project anchor.ProjectID
	record  anchor.Deployment
	index   *asset.Index
	rules   map[string]*edge.Rule // by URL path
	reduced bool                  // nothing else is left of it
}

// shelve reduces a pruned deployment to its hashed files, and makes them available to the sites of
// its project. A second call changes nothing.
func (p *Platform) shelve(ctx context.Context, d anchor.Deployment) error {
	desc, err := p.folder().Description(d.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return p.Bundles.Remove(ctx, d.ID)
	}
	if err != nil {
		return err
	}
	desc.Dir = p.Bundles.Tree(d.ID)
	index, err := p.readIndex(desc)
	if err != nil {
		return err
	}
	rules, err := p.readRules(desc, index)
	if err != nil {
		return err
	}
	err = p.Bundles.Reduce(ctx, d.ID, func(f artifact.File) bool {
		below, isAsset := strings.CutPrefix(f.Path, desc.Build.Assets+"/")
		return isAsset && index.Hashed(desc.Build.BasePath+"/"+below)
	})
	if err != nil {
		return fmt.Errorf("keep the hashed files of deployment %s: %w", d.ID, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shelves[d.ID] = &shelved{desc.Project, d, index, rules.forEdge(desc.Build.BasePath), true}
	p.publish()
	return nil
}

func (p *Platform) isShelved(id anchor.DeploymentID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shelves[id]
	return s != nil && s.reduced
}

// Shelved returns how many pruned deployments still have their hashed files here.
func (p *Platform) Shelved() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.shelves)
}

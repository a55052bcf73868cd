package sites

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"

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

// assetHistory holds the static files of a project's deployments, newest first: those that are
// kept, and those of which only the hashed files are left. A browser that loaded yesterday's page
// still finds its chunks.
type assetHistory struct {
	deployments atomic.Pointer[[]shelved]
}

func (h *assetHistory) find(path string) (asset.Asset, *edge.Rule, bool) {
	if all := h.deployments.Load(); all != nil {
		for _, d := range *all {
			if a, ok := d.index.Lookup(path); ok && d.index.Hashed(path) {
				return a, d.rules[path], true
			}
		}
	}
	return asset.Asset{}, nil, false
}

// keepHashed reduces a pruned deployment to its hashed files, and makes them available to the sites of
// its project. A second call changes nothing.
func (p *Platform) keepHashed(ctx context.Context, d anchor.Deployment) error {
	desc, err := p.dataFolder().Description(d.ID)
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
	p.shelve(shelved{desc.Project, d, index, rules.forEdge(desc.Build.BasePath), true})
	return nil
}

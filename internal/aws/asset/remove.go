package asset

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Remove deletes what belongs to the deployment alone: its public files, its cache, its tag
// table, and the hashed files that no other deployment of the project uses. It deletes the index
// last. It may be run again, also for a deployment that no longer exists.
//
// Call it under the project's lease: between reading the indexes and deleting, a concurrent
// Upload of the same project could start to rely on a file that is about to be deleted.
func (s *Assets) Remove(ctx context.Context, p anchor.Project, d anchor.DeploymentID) error {
	g, parts := errgroup.WithContext(ctx)
	g.Go(func() error { return s.RemoveOwn(parts, p, d) })
	g.Go(func() error { return s.sweepShared(parts, p.ID, d) })
	if err := g.Wait(); err != nil {
		return err
	}
	return s.removeKeys(ctx, []string{indexKey(p.ID, d)})
}

// RemoveOwn does what Remove does, except for the hashed files and the index, which keeps them
// from being deleted.
func (s *Assets) RemoveOwn(ctx context.Context, p anchor.Project, d anchor.DeploymentID) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.erasePrefix(ctx, deploymentPrefix(p.ID, d)) })
	g.Go(func() error { return s.erasePrefix(ctx, formerPrefix(d)) })
	g.Go(func() error { return s.erasePrefix(ctx, cachePrefix(p.ID, d)) })
	g.Go(func() error { return s.dropTable(ctx, s.tableName(p.ID, d)) })
	g.Go(func() error { return s.dropTable(ctx, s.formerTable(d)) })
	return g.Wait()
}

// sweepShared deletes the shared files that no deployment except d uses, including those that an
// earlier removal left. It lists the files before it reads the indexes, so that the index of a
// file that is put later is among them.
func (s *Assets) sweepShared(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) error {
	there, err := s.listSizes(ctx, sharedPrefix(p))
	if err != nil {
		return err
	}
	used, err := s.listUsed(ctx, p, d)
	if err != nil {
		return err
	}
	var unused []string
	for key := range there {
		if !used[key] && !strings.HasPrefix(key, indexPrefix(p)) {
			unused = append(unused, key)
		}
	}
	slices.Sort(unused)
	return s.removeKeys(ctx, unused)
}

// RemoveProject deletes what all deployments of the project have left. It may be run again.
func (s *Assets) RemoveProject(ctx context.Context, p anchor.Project) error {
	ids, err := s.listDeployments(ctx, p.ID)
	if err != nil {
		return err
	}
	for _, d := range ids {
		if err := s.RemoveOwn(ctx, p, d); err != nil {
			return err
		}
	}
	// Deletes the indexes too, by which the deployments are found.
	return s.erasePrefix(ctx, sharedPrefix(p.ID))
}

// listDeployments lists the deployments that have an index or a cache, oldest first.
func (s *Assets) listDeployments(ctx context.Context, p anchor.ProjectID) ([]anchor.DeploymentID, error) {
	ids, err := s.listIndexed(ctx, p)
	if err != nil {
		return nil, err
	}
	cached, err := s.listFolders(ctx, projectCachePrefix(p))
	if err != nil {
		return nil, err
	}
	for _, name := range cached {
		ids = append(ids, anchor.DeploymentID(name))
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

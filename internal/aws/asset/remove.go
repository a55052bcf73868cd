package asset

import (
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Remove deletes what the deployment alone has: its public files, its cache, its tag
// table, and the hashed files that no other deployment of the project uses. It may be
// run again, also for a deployment that is gone; its index goes last.
//
// Call it under the project's lease: between its look at the indexes and its deletes,
// an Upload of the same project could come to rely on a file that goes.
func (s *Assets) Remove(ctx context.Context, p anchor.Project, d anchor.DeploymentID) error {
	g, parts := errgroup.WithContext(ctx)
	g.Go(func() error { return s.RemoveOwn(parts, p, d) })
	g.Go(func() error { return s.sweep(parts, p.ID, d) })
	if err := g.Wait(); err != nil {
		return err
	}
	return s.remove(ctx, []string{indexKey(p.ID, d)})
}

// RemoveOwn is Remove but for the hashed files, which its index keeps from being
// deleted.
func (s *Assets) RemoveOwn(ctx context.Context, p anchor.Project, d anchor.DeploymentID) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.erase(ctx, deploymentPrefix(d)) })
	g.Go(func() error { return s.erase(ctx, cachePrefix(p.ID, d)) })
	g.Go(func() error { return s.dropTable(ctx, d) })
	return g.Wait()
}

// sweep deletes the shared files that no deployment but d uses, also those that an
// earlier removal left. The files are listed before the indexes: a file put since has
// its index among those.
func (s *Assets) sweep(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) error {
	there, err := s.list(ctx, sharedPrefix(p))
	if err != nil {
		return err
	}
	used, err := s.used(ctx, p, d)
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
	return s.remove(ctx, unused)
}

// RemoveProject deletes what all deployments of the project have left. It may be run
// again.
func (s *Assets) RemoveProject(ctx context.Context, p anchor.Project) error {
	ids, err := s.deployments(ctx, p.ID)
	if err != nil {
		return err
	}
	for _, d := range ids {
		if err := s.RemoveOwn(ctx, p, d); err != nil {
			return err
		}
	}
	// With the indexes, by which the deployments are found.
	return s.erase(ctx, sharedPrefix(p.ID))
}

// deployments lists those that have an index or a cache, oldest first.
func (s *Assets) deployments(ctx context.Context, p anchor.ProjectID) ([]anchor.DeploymentID, error) {
	ids, err := s.indexed(ctx, p)
	if err != nil {
		return nil, err
	}
	cached, err := s.folders(ctx, projectCachePrefix(p))
	if err != nil {
		return nil, err
	}
	for _, name := range cached {
		ids = append(ids, anchor.DeploymentID(name))
	}
	slices.Sort(ids)
	return slices.Compact(ids), nil
}

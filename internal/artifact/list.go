package artifact

import (
	"context"
	"io/fs"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// IDs lists the deployments that have a manifest here.
func (s *Store) IDs(ctx context.Context) ([]anchor.DeploymentID, error) {
	entries, err := s.listFolder(manifestsDir)
	if err != nil {
		return nil, err
	}
	var ids []anchor.DeploymentID
	for _, entry := range entries {
		if id, isManifest := strings.CutSuffix(entry.Name(), ".json"); isManifest {
			ids = append(ids, anchor.DeploymentID(id))
		}
	}
	return ids, ctx.Err()
}

// Trees lists the deployments that have a tree here, complete or not.
func (s *Store) Trees(ctx context.Context) ([]anchor.DeploymentID, error) {
	entries, err := s.listFolder(treesDir)
	if err != nil {
		return nil, err
	}
	var ids []anchor.DeploymentID
	for _, entry := range entries {
		if entry.IsDir() && anchor.ValidID(entry.Name()) {
			ids = append(ids, anchor.DeploymentID(entry.Name()))
		}
	}
	return ids, ctx.Err()
}

// listFolder returns what is in a folder of the store, sorted by name.
func (s *Store) listFolder(folder string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.root.FS(), folder)
	if err != nil {
		return nil, diskError(err, "list %s", s.joinPath(folder))
	}
	return entries, nil
}

// Digests returns every content that a manifest names.
func (s *Store) Digests(ctx context.Context) (map[Digest]bool, error) {
	n := &names{set: map[Digest]bool{}}
	err := s.readNames(ctx, n)
	return n.set, err
}

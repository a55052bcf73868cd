package bundle

import (
	"context"
	"io/fs"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// IDs lists the deployments that have a manifest here.
func (s *Store) IDs(ctx context.Context) ([]anchor.DeploymentID, error) {
	entries, err := fs.ReadDir(s.root.FS(), manifestsDir)
	if err != nil {
		return nil, diskError(err, "list %s", s.path(manifestsDir))
	}
	var ids []anchor.DeploymentID
	for _, entry := range entries {
		if id, isManifest := strings.CutSuffix(entry.Name(), ".json"); isManifest {
			ids = append(ids, anchor.DeploymentID(id))
		}
	}
	return ids, ctx.Err()
}

// Digests gives every content that a manifest names.
func (s *Store) Digests(ctx context.Context) (map[Digest]bool, error) {
	n := &names{set: map[Digest]bool{}}
	err := s.readNames(ctx, n)
	return n.set, err
}

package artifact

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// Sync makes the manifest and all contents of the deployment durable. A missing content is an
// Invalid error.
func (s *Store) Sync(ctx context.Context, id anchor.DeploymentID) error {
	m, err := s.Manifest(ctx, id)
	if err != nil {
		return err
	}
	return s.settleContents(ctx, id, m)
}

// settleContents moves the contents of m from incoming to blobs, once they are durable.
func (s *Store) settleContents(ctx context.Context, id anchor.DeploymentID, m Manifest) error {
	s.settling.Lock()
	defer s.settling.Unlock()
	arrived, err := s.listArrived(ctx, id, m)
	if err != nil {
		return err
	}
	if len(arrived) > 0 {
		if err := s.syncAll(incomingDir); err != nil {
			return err
		}
		s.unsynced = true
	}
	sizes := m.Contents()
	for digest := range sizes {
		s.unowned.claimContent(digest)
	}
	for _, digest := range arrived {
		if err := s.keepContent(digest); err != nil {
			return err
		}
		s.unowned.releaseBytes(sizes[digest])
	}
	if !s.unsynced {
		return nil
	}
	if err := s.syncAll(blobsDir); err != nil {
		return err
	}
	s.unsynced = false
	return nil
}

// listArrived returns the contents of m that are in incoming.
func (s *Store) listArrived(ctx context.Context, id anchor.DeploymentID, m Manifest) ([]Digest, error) {
	var arrived []Digest
	for digest, size := range m.Contents() {
		name, err := s.findContent(digest, size)
		switch {
		case err != nil:
			return nil, err
		case name == "":
			return nil, anchor.Invalid("content_missing", "the content %s of the deployment %s was never sent", digest, id).
				Hintf("Request the list of missing files, upload them, and finish again.")
		case name == incomingPath(digest):
			arrived = append(arrived, digest)
		}
	}
	return arrived, ctx.Err()
}

// keepContent moves a durable content to blobs.
func (s *Store) keepContent(digest Digest) error {
	from, to := s.joinPath(incomingPath(digest)), blobPath(digest)
	err := os.Rename(from, s.joinPath(to))
	if errors.Is(err, fs.ErrNotExist) { // the first content of its folder
		if err := s.makeFolder(path.Dir(to), openFolder); err != nil {
			return err
		}
		err = os.Rename(from, s.joinPath(to))
	}
	if err != nil {
		return diskError(err, "keep the content %s", digest)
	}
	return nil
}

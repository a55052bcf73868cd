package artifact

import (
	"context"
	"errors"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// Reclaim removes the contents that only this deployment names, one that ended without being deployed,
// when the disk is nearly full. Otherwise they stay for a while, because the next attempt mostly
// needs them again. On a full disk the next attempt, and the records, need the room more.
// A deployment without manifest has none.
func (s *Store) Reclaim(ctx context.Context, id anchor.DeploymentID) error {
	if full, err := s.isNearlyFull(); err != nil || !full {
		return err
	}
	m, err := s.Manifest(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	defer s.busy.Lock("collect")()
	s.settling.Lock() // contents do not move from incoming to blobs meanwhile
	defer s.settling.Unlock()
	named := &names{set: map[Digest]bool{}}
	s.watchNames(named)
	defer s.watchNames(nil)
	if err := errors.Join(s.readNamesBut(ctx, named, id), s.readTrashNames(ctx, named)); err != nil {
		return err
	}
	now := time.Now()
	for digest := range m.Contents() {
		for _, name := range []string{incomingPath(digest), blobPath(digest), blobPath(digest) + twinSuffix} {
			if _, err := s.collectFile(name, named, now); err != nil {
				return diskError(err, "remove %s", s.joinPath(name))
			}
		}
	}
	return nil
}

// isNearlyFull reports whether less than a tenth of the disk is free, and less than 1 GiB.
func (s *Store) isNearlyFull() (bool, error) {
	free, size, err := atomicfile.Space(s.dir)
	return free < min(size/10, 1<<30), err
}

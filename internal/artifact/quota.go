package artifact

import (
	"context"
	"errors"
	"io/fs"
	"sync"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// unowned counts the contents that were sent and that no deployment owns: those on their
// way, those in incoming, and those that only deployments named which ended without being
// deployed. It begins at nothing: Open empties incoming, and what failed before a restart
// is not counted again.
type unowned struct {
	mu       sync.Mutex
	files    int
	bytes    int64
	disowned map[Digest]int64 // sizes of those that failed deployments left
}

// reserveBytes counts a content before it is read. A TooLarge error means that it exceeds a limit; 0
// means no limit.
func (u *unowned) reserveBytes(size, limit int64, files int) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if limit > 0 && (u.bytes+size > limit || u.files >= files) {
		return anchor.TooLarge("upload_quota", "uploads that no deployment owns take too much room: files %d of %d, bytes %d of %d; this file adds bytes: %d",
			u.files, files, u.bytes, limit, size).
			Hintf("Wait until other uploads end (anchor deployments lists them). Files of canceled uploads are removed within two hours, files of failed deployments after a day.\n" +
				"For larger builds start the server with a higher limit: anchor up --max-upload-mib N")
	}
	u.files++
	u.bytes += size
	return nil
}

// releaseBytes stops counting a content that is owned now, or gone.
func (u *unowned) releaseBytes(size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.files--
	u.bytes -= size
}

// disownContent counts a content that its only deployment leaves.
func (u *unowned) disownContent(digest Digest, size int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, counted := u.disowned[digest]; counted {
		return
	}
	if u.disowned == nil {
		u.disowned = map[Digest]int64{}
	}
	u.disowned[digest] = size
	u.files++
	u.bytes += size
}

// claimContent stops counting a content, if it was disowned, that a deployment owns again or
// that is gone.
func (u *unowned) claimContent(digest Digest) {
	u.mu.Lock()
	defer u.mu.Unlock()
	size, counted := u.disowned[digest]
	if !counted {
		return
	}
	delete(u.disowned, digest)
	u.files--
	u.bytes -= size
}

// Disown counts the contents of a deployment that ended without being deployed, and that
// no other deployment names, as belonging to none: MaxUnowned bounds them until another
// deployment needs them or Collect removes them. A deployment without manifest has none.
func (s *Store) Disown(ctx context.Context, id anchor.DeploymentID) error {
	m, err := s.Manifest(ctx, id)
	if errors.Is(err, anchor.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	s.settling.Lock() // no other deployment claims them meanwhile
	defer s.settling.Unlock()
	named := &names{set: map[Digest]bool{}}
	if err := s.readNamesBut(ctx, named, id); err != nil {
		return err
	}
	for digest, size := range m.Contents() {
		_, err := s.root.Lstat(blobPath(digest))
		if errors.Is(err, fs.ErrNotExist) || named.hasDigest(digest) {
			continue // what is in incoming is counted already
		}
		if err != nil {
			return diskError(err, "look for the content %s", digest)
		}
		s.unowned.disownContent(digest, size)
	}
	return nil
}

package artifact

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// names is a set of digests that may grow while it is read. A nil one drops what
// is added.
type names struct {
	mu  sync.Mutex
	set map[Digest]bool
}

func (n *names) add(m Manifest) {
	if n == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, f := range m.Files {
		n.set[f.Digest] = true
	}
}

func (n *names) hasDigest(d Digest) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.set[d]
}

// Collect removes contents that no manifest names and that no client has sent or asked to send
// for the time unusedSince, and returns how many bytes they had. Manifests saved meanwhile keep
// what they name. Disk space that a tree still holds by a hard link is freed with the tree.
func (s *Store) Collect(ctx context.Context, unusedSince time.Duration) (freed int64, err error) {
	defer s.busy.Lock("collect")()
	named := &names{set: map[Digest]bool{}}
	s.watchNames(named)
	defer s.watchNames(nil)
	if err := s.readNames(ctx, named); err != nil {
		return 0, err
	}
	before := time.Now().Add(-unusedSince)
	for _, folder := range []string{blobsDir, incomingDir} {
		err := fs.WalkDir(s.root.FS(), folder, func(name string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) { // Sync or Put moved it on
				return nil
			}
			if err != nil || entry.IsDir() {
				return err
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			size, err := s.collectFile(name, named, before)
			freed += size
			return err
		})
		if err != nil {
			return freed, diskError(err, "collect unused contents in %s", s.joinPath(folder))
		}
	}
	return freed, nil
}

// watchNames makes later SaveManifests add to n, and waits for those under way.
func (s *Store) watchNames(n *names) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.named = n
}

// readNames adds what manifests name, those in the trash included.
func (s *Store) readNames(ctx context.Context, into *names) error {
	if err := s.readNamesBut(ctx, into, ""); err != nil {
		return err
	}
	return s.readTrashNames(ctx, into)
}

// readNamesBut adds what the manifests in their places name, but for one deployment's.
func (s *Store) readNamesBut(ctx context.Context, into *names, but anchor.DeploymentID) error {
	ids, err := s.IDs(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := ctx.Err(); err != nil {
			return err
		}
		if id == but {
			continue
		}
		m, err := s.Manifest(ctx, id)
		if errors.Is(err, anchor.ErrNotFound) { // removed meanwhile
			continue
		}
		if err != nil { // what a damaged manifest names must not be taken for unused
			return err
		}
		into.add(m)
	}
	return nil
}

// collectFile removes one file, unless it is named or was used lately.
func (s *Store) collectFile(name string, named *names, before time.Time) (freed int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	base := path.Base(name)
	if strings.HasSuffix(base, tempSuffix) { // of a Put under way
		return 0, nil
	}
	if named.hasDigest(Digest(strings.TrimSuffix(base, twinSuffix))) {
		return 0, nil
	}
	info, err := s.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil || info.ModTime().After(before) {
		return 0, err
	}
	if err := s.root.Remove(name); err != nil {
		return 0, err
	}
	if path.Dir(name) == incomingDir {
		s.unowned.releaseBytes(info.Size())
	} else {
		s.unowned.claimContent(Digest(base))
	}
	return info.Size(), nil
}

// Usage is what a store holds.
type Usage struct {
	Manifests int
	Contents  int
	Bytes     int64 // of the contents, each once
	Trash     int   // removed deployments that EmptyTrash has not taken yet
}

// Usage counts what the store holds.
func (s *Store) Usage(ctx context.Context) (Usage, error) {
	var u Usage
	for _, folder := range []string{manifestsDir, blobsDir, incomingDir} {
		err := fs.WalkDir(s.root.FS(), folder, func(_ string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil || entry.IsDir() {
				return err
			}
			if folder == manifestsDir {
				u.Manifests++
				return ctx.Err()
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) {
				return nil
			}
			if err != nil {
				return err
			}
			u.Contents++
			u.Bytes += info.Size()
			return ctx.Err()
		})
		if err != nil {
			return Usage{}, diskError(err, "count what is in %s", s.joinPath(folder))
		}
	}
	trash, err := s.listTrash()
	u.Trash = len(trash)
	return u, err
}

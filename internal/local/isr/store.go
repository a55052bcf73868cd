package isr

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// ErrNotFound is returned for an object that does not exist, whether never written or deleted.
var ErrNotFound = errors.New("no such object in the incremental cache")

// Store is the incremental cache and the tag table of all namespaces. It is safe for concurrent
// use; only one Store may have a folder open.
type Store struct {
	Quota Quota // set before the first use
	// Revalidated is called when tags of a namespace were revalidated, before the call that did it
	// returns: what was made from the rows' entries earlier is out of date, and without rows what
	// was made from anything. Set it before the first use; may be nil.
	Revalidated func(ns string, rows []TagRow)
	// Deleted is the same for an object that was deleted.
	Deleted func(ns, key string)

	dir string
	db  *database
}

// Open opens or creates the store in dir. It removes what a killed process left half-written.
func Open(dir string) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open the incremental cache: %w", err)
	}
	s := &Store{dir: dir}
	for _, scratch := range []string{s.tmpDir(), s.trashDir()} {
		if err := errors.Join(os.RemoveAll(scratch), os.MkdirAll(scratch, 0o700)); err != nil {
			return nil, fmt.Errorf("open the incremental cache: %w", err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "objects"), 0o700); err != nil {
		return nil, fmt.Errorf("open the incremental cache: %w", err)
	}
	if s.db, err = openDatabase(filepath.Join(dir, "tags.db")); err != nil {
		return nil, fmt.Errorf("open the incremental cache: %w", err)
	}
	return s, nil
}

// Close closes the files. Calls still running may fail.
func (s *Store) Close() error { return s.db.close() }

// Drop removes everything of a namespace except the files that seeded objects name. It may be
// repeated, and the next Drop completes one that was killed half-way. A namespace that does not
// exist is not an error. Stop its writers first (awswire.Credentials.Revoke): a later Put creates
// the namespace again.
func (s *Store) Drop(ctx context.Context, ns string) error {
	doomed := filepath.Join(s.trashDir(), rand.Text())
	if err := os.Rename(s.objectDir(ns), doomed); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("drop cache namespace %q: %w", ns, err)
	}
	if err := atomicfile.SyncDir(filepath.Join(s.dir, "objects")); err != nil {
		return fmt.Errorf("drop cache namespace %q: %w", ns, err)
	}
	if _, err := s.db.write.ExecContext(ctx, `DELETE FROM namespaces WHERE name = ?`, ns); err != nil {
		return fmt.Errorf("drop cache namespace %q: %w", ns, err)
	}
	s.forgetUsage(ns)
	if err := os.RemoveAll(doomed); err != nil {
		return fmt.Errorf("drop cache namespace %q: %w", ns, err)
	}
	return nil
}

// Has reports whether the namespace exists: whether it was seeded or written to since the last
// Drop.
func (s *Store) Has(ctx context.Context, ns string) (found bool, err error) {
	err = s.db.read.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM namespaces WHERE name = ?)`, ns).Scan(&found)
	if err != nil {
		return false, fmt.Errorf("look for cache namespace %q: %w", ns, err)
	}
	return found, nil
}

func (s *Store) tmpDir() string   { return filepath.Join(s.dir, "tmp") }
func (s *Store) trashDir() string { return filepath.Join(s.dir, "trash") }

func (s *Store) objectDir(ns string) string {
	return filepath.Join(s.dir, "objects", folderName(ns))
}

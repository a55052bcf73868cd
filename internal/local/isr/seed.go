package isr

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// SeedObject is an object of a build: File stays where it is and must not change while the
// namespace lives.
type SeedObject struct {
	Key      string
	File     string
	Modified time.Time
}

// Seed stores the cache entries and tag rows of a build in a namespace, in one transaction. It may
// be repeated. An entry that the app has written or deleted since stays so, and an existing tag row
// stays as it is. A seeded entry keeps its first Modified and takes the new path of its file.
func (s *Store) Seed(ctx context.Context, ns string, objects []SeedObject, tags []TagRow) error {
	err := s.db.inNamespace(ctx, ns, func(tx *sql.Tx, id int64) error {
		if err := s.seedObjects(ctx, tx, id, objects); err != nil {
			return err
		}
		return insertTags(ctx, tx, id, tags, keepExisting)
	})
	if err != nil {
		return fmt.Errorf("seed cache namespace %q: %w", ns, err)
	}
	return nil
}

func (s *Store) seedObjects(ctx context.Context, tx *sql.Tx, id int64, objects []SeedObject) error {
	insert, err := tx.PrepareContext(ctx, `INSERT INTO seeds (ns, key, file, modified_ms) VALUES (?, ?, ?, ?)
		ON CONFLICT (ns, key) DO UPDATE SET file = excluded.file WHERE file <> excluded.file`)
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, o := range objects {
		if _, err := insert.ExecContext(ctx, id, o.Key, s.relativePath(o.File), o.Modified.UnixMilli()); err != nil {
			return fmt.Errorf("object %q: %w", o.Key, err)
		}
	}
	return nil
}

// relativePath makes a file's path relative to the store, so that the data folder as a whole can be
// moved.
func (s *Store) relativePath(file string) string {
	abs, err := filepath.Abs(file)
	if err != nil {
		return file
	}
	if rel, err := filepath.Rel(s.dir, abs); err == nil {
		return rel
	}
	return abs
}

func (s *Store) openSeed(ctx context.Context, ns, key string) (*Object, error) {
	var file string
	var modified int64
	err := s.db.seed.QueryRowContext(ctx, ns, key).Scan(&file, &modified)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(s.dir, file)
	}
	return openSeedFile(file, key, time.UnixMilli(modified))
}

// openSeedFile treats a missing file as an absent entry: the app can render it again.
func openSeedFile(file, key string, modified time.Time) (*Object, error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		slog.Warn("the file of a seeded cache entry is gone", "key", key, "file", file)
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	stat, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	info := Info{Modified: modified, Size: stat.Size(), ETag: seedETag(key, stat.Size(), modified)}
	return &Object{Info: info, ReadSeeker: f, file: f}, nil
}

// seedETag does not read the file: a seeded file never changes. The "-1" is how S3 marks an ETag
// that is not the MD5 of the content.
func seedETag(key string, size int64, modified time.Time) string {
	h := fnv.New128a()
	fmt.Fprintf(h, "%s\x00%d\x00%d", key, size, modified.UnixMilli())
	return fmt.Sprintf(`"%x-1"`, h.Sum(nil))
}

func (s *Store) deleteSeed(ctx context.Context, ns, key string) error {
	_, err := s.db.write.ExecContext(ctx, `UPDATE seeds SET deleted = 1
		WHERE ns = (SELECT id FROM namespaces WHERE name = ?) AND key = ? AND deleted = 0`, ns, key)
	return err
}

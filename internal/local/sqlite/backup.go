package sqlite

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

// Backups is a folder of copies of the records, named records-<n>.db, the newest with
// the highest number.
type Backups string

// Newest returns the path of the newest copy and when it was made, or "" when there is none.
func (b Backups) Newest() (path string, made time.Time, err error) {
	all, err := b.listNumbers()
	if err != nil || len(all) == 0 {
		return "", time.Time{}, err
	}
	path = b.copyPath(all[len(all)-1])
	info, err := os.Stat(path)
	if err != nil {
		return "", time.Time{}, fmt.Errorf("look at the copy of the records: %w", err)
	}
	return path, info.ModTime(), nil
}

// All returns the paths of all copies, the newest first.
func (b Backups) All() ([]string, error) {
	numbers, err := b.listNumbers()
	paths := make([]string, len(numbers))
	for i, n := range numbers {
		paths[len(numbers)-1-i] = b.copyPath(n)
	}
	return paths, err
}

// List returns all copies, those of upgrades too, the newest first.
func (b Backups) List() ([]anchor.Backup, error) {
	paths, err := filepath.Glob(filepath.Join(string(b), "*.db"))
	if err != nil {
		return nil, err
	}
	var all []anchor.Backup
	for _, path := range paths {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // removed meanwhile, by a newer one
		}
		if err != nil {
			return nil, fmt.Errorf("look at the copy of the records: %w", err)
		}
		name := filepath.Base(path)
		all = append(all, anchor.Backup{
			Name: name, MadeAt: info.ModTime().UnixMilli(), Bytes: info.Size(), Upgrade: strings.HasPrefix(name, beforeUpgrade),
		})
	}
	// Copies of one millisecond differ by their numbers.
	slices.SortFunc(all, func(a, b anchor.Backup) int {
		return cmp.Or(cmp.Compare(b.MadeAt, a.MadeAt), cmp.Compare(b.Name, a.Name))
	})
	return all, nil
}

const beforeUpgrade = "before-upgrade-from-schema-"

func (b Backups) copyPath(n int) string {
	return filepath.Join(string(b), fmt.Sprintf("records-%06d.db", n))
}

// ofSchema returns the path at which records are kept as they were before an upgrade of their
// schema. It is not one of the numbered copies, which are deleted in turn.
func (b Backups) ofSchema(version int) string {
	return filepath.Join(string(b), fmt.Sprintf(beforeUpgrade+"%d.db", version))
}

// listNumbers returns the numbers of the existing copies, the oldest first.
func (b Backups) listNumbers() ([]int, error) {
	names, err := filepath.Glob(filepath.Join(string(b), "records-*.db")) // sorted
	if err != nil {
		return nil, err
	}
	var all []int
	for _, name := range names {
		text := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(name), "records-"), ".db")
		if n, err := strconv.Atoi(text); err == nil {
			all = append(all, n)
		}
	}
	return all, nil
}

// Backup writes a copy of the records as they are now, durable on return, and deletes all but the
// newest keep copies. Readers and writers continue meanwhile.
func (s *Store) Backup(ctx context.Context, to Backups, keep int) error {
	s.copying.Lock() // two at a time would take one number
	defer s.copying.Unlock()
	all, err := to.listNumbers()
	if err != nil {
		return err
	}
	next := 1
	if len(all) > 0 {
		next = all[len(all)-1] + 1
	}
	if err := s.copyAs(ctx, to.copyPath(next)); err != nil {
		return err
	}
	for _, n := range all[:max(0, len(all)+1-keep)] {
		if err := os.Remove(to.copyPath(n)); err != nil {
			return fmt.Errorf("remove an old copy of the records: %w", err)
		}
	}
	return nil
}

// copyAs writes a copy of the records, durable on return, to a path in a folder of copies, which it
// creates if necessary. The whole copy replaces a file of that name.
func (s *Store) copyAs(ctx context.Context, path string) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the folder of copies of the records: %w", err)
	}
	temp := filepath.Join(dir, "unfinished")
	if err := s.copyTo(ctx, temp); err != nil {
		return errors.Join(err, os.RemoveAll(temp))
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("keep the copy of the records: %w", err)
	}
	return errors.Join(atomicfile.SyncDir(dir), atomicfile.SyncDir(filepath.Dir(dir)))
}

func (s *Store) copyTo(ctx context.Context, temp string) error {
	if err := os.RemoveAll(temp); err != nil {
		return fmt.Errorf("copy the records: %w", err)
	}
	if err := createFile(temp); err != nil { // VACUUM INTO takes an empty file and keeps its mode
		return err
	}
	if _, err := s.copies.ExecContext(ctx, `VACUUM INTO ?`, temp); err != nil {
		return explainError("copy the records", err)
	}
	f, err := os.Open(temp)
	if err != nil {
		return fmt.Errorf("copy the records: %w", err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("copy the records: %w", err)
	}
	return nil
}

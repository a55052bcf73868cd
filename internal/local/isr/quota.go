package isr

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// ErrQuota is wrapped by the error of a Put for which there is no room.
var ErrQuota = errors.New("the incremental cache of the project is full")

// Quota bounds the bytes that apps write to the cache; entries of the build do not count. The zero
// value bounds nothing.
type Quota struct {
	Bytes int64 // of the namespaces of a group together
	// Group returns the namespaces that share Bytes with ns, itself included.
	Group func(ns string) []string

	mu   sync.Mutex
	used map[string]int64 // by namespace; measured at the first use
}

// reserveBytes makes room for an object of size bytes that replaces one of before bytes. When the object
// was not stored, release returns the room.
func (s *Store) reserveBytes(ns string, before, size int64) error {
	q := &s.Quota
	if q.Bytes <= 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	group := q.Group(ns)
	if !slices.Contains(group, ns) {
		group = append(slices.Clip(group), ns)
	}
	total, err := s.groupUsage(group)
	if err == nil && total-before+size > q.Bytes {
		// Two concurrent writes of one object may have been counted wrongly: measure again.
		for _, name := range group {
			delete(q.used, name)
		}
		total, err = s.groupUsage(group)
	}
	if err != nil {
		return err
	}
	if size > before && total-before+size > q.Bytes {
		return fmt.Errorf("%w: its size in bytes is %d, this entry adds %d, and the limit is %d (anchor up --max-cache-mib)",
			ErrQuota, total, size-before, q.Bytes)
	}
	q.used[ns] += size - before
	return nil
}

func (s *Store) releaseBytes(ns string, bytes int64) {
	q := &s.Quota
	q.mu.Lock()
	defer q.mu.Unlock()
	if _, known := q.used[ns]; known {
		q.used[ns] -= bytes
	}
}

// groupUsage returns the sum of what the group has written. Callers hold Quota.mu.
func (s *Store) groupUsage(group []string) (total int64, err error) {
	q := &s.Quota
	if q.used == nil {
		q.used = map[string]int64{}
	}
	for _, name := range group {
		if _, known := q.used[name]; !known {
			if q.used[name], err = folderSize(s.objectDir(name)); err != nil {
				return 0, fmt.Errorf("measure the incremental cache: %w", err)
			}
		}
		total += q.used[name]
	}
	return total, nil
}

func (s *Store) forgetUsage(ns string) {
	s.Quota.mu.Lock()
	defer s.Quota.mu.Unlock()
	delete(s.Quota.used, ns)
}

func folderSize(dir string) (size int64, err error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	for _, entry := range entries {
		bytes, err := fileSize(filepath.Join(dir, entry.Name()))
		if err != nil {
			return 0, err
		}
		size += bytes
	}
	return size, nil
}

// fileSize returns 0 for a missing file.
func fileSize(path string) (int64, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

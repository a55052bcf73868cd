package asset

import (
	"runtime"
	"sync"
	"weak"
)

// Shared keeps one entry of a file for all indexes that have the file, as the deployments of a
// project do: most of their files are the same, and a file takes about a kilobyte with its
// variants. An entry goes with the last index that has it. The zero value is ready for use; nil
// shares nothing.
type Shared struct {
	mu      sync.Mutex
	entries map[shareKey]weak.Pointer[entry]
}

// shareKey is all that an entry is made of.
type shareKey struct {
	File
	sizes
}

// entryOf returns the entry of a file.
func (s *Shared) entryOf(f File, coded sizes) *entry {
	if s == nil {
		return newEntry(f, coded)
	}
	key := shareKey{f, coded}
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.entries[key].Value(); e != nil {
		return e
	}
	e := newEntry(f, coded)
	if s.entries == nil {
		s.entries = map[shareKey]weak.Pointer[entry]{}
	}
	s.entries[key] = weak.Make(e)
	runtime.AddCleanup(e, s.drop, key)
	return e
}

// drop forgets an entry that is gone, unless the file has another one by now.
func (s *Shared) drop(key shareKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p, known := s.entries[key]; known && p.Value() == nil {
		delete(s.entries, key)
	}
}

package artifact

import "time"

// DiskError lets tests see what the errors of a real full disk become.
var DiskError = diskError

// Fold makes a store refuse what a disk without case would lose. Linux has hardly such a
// disk to test with.
func Fold(s *Store) { s.folds = true }

// Folds reports what a store found of its disk.
func Folds(s *Store) bool { return s.folds }

// RestLane makes the next content arrive in a new lane.
func (s *Store) RestLane() {
	s.lanes.mu.Lock()
	defer s.lanes.mu.Unlock()
	s.lanes.used = time.Time{}
}

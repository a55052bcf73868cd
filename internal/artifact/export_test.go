package artifact

// DiskError lets tests see what the errors of a real full disk become.
var DiskError = diskError

// Fold makes a store refuse what a disk without case would lose. Linux has hardly such a
// disk to test with.
func Fold(s *Store) { s.folds = true }

// Folds reports what a store found of its disk.
func Folds(s *Store) bool { return s.folds }

package artifact

import (
	"errors"

	"golang.org/x/sys/unix"
)

// syncAll makes durable all that was written below the folders. One syncfs(2) does
// for thousands of small files what would take as many fsyncs.
func (s *Store) syncAll(...string) error {
	folder, err := s.root.Open(".")
	if err != nil {
		return diskError(err, "open %s", s.dir)
	}
	if err := errors.Join(unix.Syncfs(int(folder.Fd())), folder.Close()); err != nil {
		return diskError(err, "make %s durable", s.dir)
	}
	return nil
}

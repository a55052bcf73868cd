//go:build !linux

package artifact

import (
	"errors"
	"io/fs"
)

// syncAll makes durable all that was written below the folders.
func (s *Store) syncAll(folders ...string) error {
	for _, folder := range folders {
		err := fs.WalkDir(s.root.FS(), folder, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.Type()&fs.ModeSymlink != 0 {
				return err
			}
			file, err := s.root.Open(name)
			if err != nil {
				return err
			}
			return errors.Join(file.Sync(), file.Close())
		})
		if err != nil {
			return diskError(err, "make %s durable", s.joinPath(folder))
		}
	}
	return nil
}

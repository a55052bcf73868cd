//go:build !linux

package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// SyncTree makes everything below root survive a power cut: an fsync of every regular file and folder.
func SyncTree(root string) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return explain("walk", path, err)
		}
		if !entry.IsDir() && !entry.Type().IsRegular() {
			return nil
		}
		f, err := os.Open(path)
		if err != nil {
			return explain("open", path, err)
		}
		return explain("sync", path, errors.Join(f.Sync(), f.Close()))
	})
}

package atomicfile

import (
	"errors"
	"os"
)

// SyncDir makes the names in a folder survive a power cut: files created, renamed or removed in it.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return explain("open the folder", dir, err)
	}
	return explain("sync the folder", dir, errors.Join(d.Sync(), d.Close()))
}

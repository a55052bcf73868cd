package app

import (
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/secret"
)

// openKey reads the key of the environment variables. A new one is made for a new
// data folder only: records that another key sealed could never be read again.
func (a *app) openKey() (*secret.Box, error) {
	path := filepath.Join(a.Data, "secret.key")
	_, keyErr := os.Stat(path)
	_, recordsErr := os.Stat(filepath.Join(a.Data, "anchor.db"))
	if errors.Is(keyErr, fs.ErrNotExist) && recordsErr == nil {
		return nil, anchor.Invalid("key_missing", "%s is gone, with which the records beside it were sealed", path).
			Hintf("Put it back from the backup of the data folder. Without it the deployments' environment variables are lost.")
	}
	return secret.Open(path)
}

// runFolder makes the folder of sockets and temporary files. It has a short name, as
// a socket's has 108 bytes at most (unix(7)), and one that stays the same, so that
// what a killed Anchor left in it is taken away.
func (a *app) runFolder() (string, error) {
	h := fnv.New64a()
	h.Write([]byte(a.Data))
	run := filepath.Join(os.TempDir(), fmt.Sprintf("anchor-%x", h.Sum64()))
	if err := os.RemoveAll(run); err != nil {
		return "", fmt.Errorf("empty the folder for sockets: %w", err)
	}
	// Mkdir, not MkdirAll: nobody else may have made it in between.
	if err := os.Mkdir(run, 0o711); err != nil {
		return "", fmt.Errorf("make the folder for sockets: %w", err)
	}
	a.onClose(func() error { return os.RemoveAll(run) })
	if err := os.Chmod(run, 0o711); err != nil {
		return "", fmt.Errorf("open the folder for sockets to workers: %w", err)
	}
	return run, nil
}

package secret

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

const keySize = 32

// Open returns the Box of the key in the file at path. It creates a missing file with mode
// 0600, durable before the key is used; two processes that create it at once get the same key.
// It refuses a file that others may read, and one without a key.
func Open(path string) (*Box, error) {
	key, err := readKey(path)
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeKey(path); err != nil {
			return nil, fmt.Errorf("create the key file %s: %w", path, err)
		}
		key, err = readKey(path)
	}
	if err != nil {
		return nil, err
	}
	return New(key)
}

func readKey(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, anchor.Failed("key_exposed", "other users can read the key file %s: its mode is %04o", path, info.Mode().Perm()).
			Hintf("Run chmod 600 %s", path)
	}
	key, err := io.ReadAll(io.LimitReader(f, keySize+1))
	if err != nil {
		return nil, fmt.Errorf("read the key file %s: %w", path, err)
	}
	if len(key) != keySize {
		return nil, anchor.Failed("key_damaged", "the key file %s does not contain a key of %d bytes", path, keySize).
			Hintf("Restore it from a backup. Without this key the environment variables in the records are lost.")
	}
	return key, nil
}

// makeKey writes a whole file beside path and links it there: the name never leads to a partial
// key, and link(2) never replaces an existing one.
func makeKey(path string) error {
	dir := filepath.Dir(path)
	f, err := os.CreateTemp(dir, ".key-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	key := make([]byte, keySize)
	rand.Read(key) //nolint:errcheck // it never fails (crypto/rand, Go 1.24)
	_, err = f.Write(key)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Link(f.Name(), path); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return atomicfile.SyncDir(dir)
}

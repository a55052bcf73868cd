package cli

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// The most that is read of a repository's own files, in bytes.
const (
	maxSettings = 8 << 20
	maxUpload   = 64 << 20 // a manifest of 100,000 files has some 15 MB
)

// readOwn reads a file of a repository: a regular one, of at most limit bytes, that no link
// leads out of dir. A missing file is fs.ErrNotExist.
func readOwn(dir, name string, limit int64) ([]byte, error) {
	// A folder above the app's may let through and not be read, as /home often does.
	if _, err := os.Lstat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", dir, err)
	}
	defer root.Close()
	file, err := artifact.OpenIn(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", file.Name(), err)
	}
	if int64(len(content)) > limit {
		return nil, anchor.TooLarge("file_too_large", "%q is larger than %d bytes", file.Name(), limit).
			Hintf("Remove it, or replace it by a smaller file.")
	}
	return content, nil
}

package opennext

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// The most that is read of each kind of file, in bytes. Manifests grow with the
// app's routes: 10,000 prerendered routes make some 10 MB.
const (
	maxText     = 4 << 10
	maxOutput   = 8 << 20
	maxManifest = 64 << 20
	maxBundle   = 64 << 20
)

const buildAgain = "Run the build again (npx @opennextjs/aws build) and deploy what it makes."

// readFile returns a file of at most limit bytes, or an error that is fs.ErrNotExist when it
// does not exist.
func readFile(tree fs.FS, name string, limit int64) ([]byte, error) {
	file, err := tree.Open(name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fs.ErrNotExist
		}
		return nil, unreadableError(name, err)
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, unreadableError(name, err)
	}
	if int64(len(data)) > limit {
		return nil, anchor.TooLarge("file_too_large", "%s has more than %d bytes", name, limit).Hintf(buildAgain)
	}
	return data, nil
}

// readJSON decodes a file into value, or returns fs.ErrNotExist.
func readJSON(tree fs.FS, name string, limit int64, value any) error {
	data, err := readFile(tree, name, limit)
	if err != nil {
		return err
	}
	if len(data) == 0 {
		return anchor.Invalid("bad_json", "%s is empty", name).Hintf(buildAgain)
	}
	if err := json.Unmarshal(data, value); err != nil {
		return anchor.Invalid("bad_json", "%s cannot be read", name).Because(err).Hintf(buildAgain)
	}
	return nil
}

func unreadableError(name string, err error) error {
	return anchor.Invalid("unreadable", "could not read %s", name).Because(err).Hintf(buildAgain)
}

func isFile(tree fs.FS, name string) bool {
	info, err := fs.Stat(tree, name)
	return err == nil && info.Mode().IsRegular()
}

func isFolder(tree fs.FS, name string) bool {
	info, err := fs.Stat(tree, name)
	return err == nil && info.IsDir()
}

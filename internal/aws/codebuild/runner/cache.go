package runner

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// nextCache is where Next.js keeps what the next build can use.
var nextCache = filepath.Join(".next", "cache")

func (r *Runner) keptNext() string { return filepath.Join(r.Cache, "next") }

// restoreNext moves what the last build of the project kept into the app. Without it, the build only
// takes longer.
func (r *Runner) restoreNext(app string) {
	if err := move(r.keptNext(), filepath.Join(app, nextCache)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		r.say("the cache of the last build is not used: %v", err)
	}
}

// keepNext moves what the next build can use to the folder that CodeBuild keeps.
func (r *Runner) keepNext(app string) {
	from := filepath.Join(app, nextCache)
	if info, err := os.Lstat(from); err != nil || !info.IsDir() {
		return
	}
	err := os.RemoveAll(r.keptNext())
	if err == nil {
		err = move(from, r.keptNext())
	}
	if err != nil {
		r.say("the cache of this build is not kept: %v", err)
	}
}

// move moves a folder, also to another file system.
func move(from, to string) error {
	if _, err := os.Lstat(from); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if os.Rename(from, to) == nil {
		return nil
	}
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		return errors.Join(err, os.RemoveAll(to))
	}
	return os.RemoveAll(from)
}

// boundCache empties the caches when they are too large.
func (r *Runner) boundCache() {
	limit := r.Limit
	if limit == 0 {
		limit = defaultLimit
	}
	size := int64(0)
	_ = filepath.WalkDir(r.Cache, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				size += info.Size()
			}
		}
		return nil // what cannot be read is not counted
	})
	if size <= limit {
		return
	}
	r.say("the caches of the project's builds have %d MiB, more than the limit of %d MiB, and are emptied", size>>20, limit>>20)
	entries, err := os.ReadDir(r.Cache)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(r.Cache, e.Name())))
	}
	if err != nil {
		r.say("empty the caches: %v", err)
	}
}

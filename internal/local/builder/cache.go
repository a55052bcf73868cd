package builder

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

// nextCache is where Next.js keeps what the next build can use.
var nextCache = filepath.Join(".next", "cache")

func (w *work) keptNext() string { return filepath.Join(w.cache, "next") }

// restoreCache moves the cache of the project's last build into the app. Without one, the build only
// takes longer.
func (w *work) restoreCache(app string) {
	into := filepath.Join(app, nextCache)
	err := os.Mkdir(filepath.Dir(into), 0o755)
	if err == nil {
		err = w.own(filepath.Dir(into))
	}
	if err == nil {
		err = os.Rename(w.keptNext(), into)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
		w.builder.Log.Warn("use the cache of the last build", "projectId", w.job.project.ID, "error", err)
	}
}

// modulesPrefix begins the name of the node_modules that a build left for the next one. The rest is the key of what it
// was installed from (build.Builder.ModulesKey).
const modulesPrefix = "modules-"

// restoreModules moves the node_modules of the project's last build into the app if the same would be installed. A build
// that fails does not return them, so what it broke is installed again.
func (w *work) restoreModules(app, key string) {
	kept := filepath.Join(w.cache, modulesPrefix+key)
	into := filepath.Join(app, build.ModulesName)
	if info, err := os.Lstat(kept); key == "" || err != nil || !info.IsDir() {
		return
	}
	if _, err := os.Lstat(into); err == nil { // the commit has one
		return
	}
	if err := os.Rename(kept, into); err != nil {
		w.builder.Log.Warn("use the dependencies of the last build", "projectId", w.job.project.ID, "error", err)
		return
	}
	w.job.output.sayf("note", "The dependencies are those of the last build: the lockfile has not changed.")
}

// keepModules keeps the node_modules of a build for the next one, in place of those before.
func (w *work) keepModules(app, key string) error {
	entries, err := os.ReadDir(w.cache)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), modulesPrefix) {
			err = errors.Join(err, os.RemoveAll(filepath.Join(w.cache, e.Name())))
		}
	}
	from := filepath.Join(app, build.ModulesName)
	if info, e := os.Lstat(from); err != nil || key == "" || e != nil || !info.IsDir() || w.contains(from) != nil {
		return err
	}
	return os.Rename(from, filepath.Join(w.cache, modulesPrefix+key))
}

// keepCache keeps the caches of a build that succeeded for the next one, its dependencies too, and removes all caches of
// the project when they are too large.
func (w *work) keepCache(app, modules string) {
	if err := w.keepModules(app, modules); err != nil {
		w.builder.Log.Warn("keep the dependencies of a build", "projectId", w.job.project.ID, "error", err)
	}
	from := filepath.Join(app, nextCache)
	if info, err := os.Lstat(from); err == nil && info.IsDir() && w.contains(from) == nil {
		err := os.RemoveAll(w.keptNext())
		if err == nil {
			err = os.Rename(from, w.keptNext())
		}
		if err != nil {
			w.builder.Log.Warn("keep the cache of a build", "projectId", w.job.project.ID, "error", err)
		}
	}
	if size := sizeOf(w.cache); size > w.builder.Limits.CacheBytes {
		w.job.output.sayf("note", "The caches of the project's builds have %d MiB, more than the limit of %d MiB, and are emptied.",
			size>>20, w.builder.Limits.CacheBytes>>20)
		w.emptyCache()
	}
}

func (w *work) emptyCache() {
	entries, err := os.ReadDir(w.cache)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(w.cache, e.Name())))
	}
	if err != nil {
		w.builder.Log.Warn("empty the caches of a project's builds", "projectId", w.job.project.ID, "error", err)
	}
}

// sizeOf returns the bytes of the files below dir. It follows no links.
func sizeOf(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				total += info.Size()
			}
		}
		return nil // what cannot be read is not counted
	})
	return total
}

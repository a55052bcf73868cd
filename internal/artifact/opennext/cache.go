package opennext

import (
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// CacheFile is one prerendered entry of the incremental cache.
type CacheFile struct {
	Key  string // the S3 key below CACHE_BUCKET_KEY_PREFIX, as the functions ask for it
	Path string // in the tree
}

// CacheFiles lists what the cache begins with, sorted by Key. The keys are those of
// buildS3Key (overrides/incrementalCache/s3.js): "<build>/<route>.cache" and
// "__fetch/<build>/<hash>". With a deploymentId in next.config the build writes the
// fetch entries under BUILD_ID but reads them under the deploymentId
// (createAssets.js against adapters/config/index.js); the keys are those it reads.
// Shells of pages with fallback: true are left out, see shells.
func CacheFiles(tree fs.FS, b anchor.Build) ([]CacheFile, error) {
	if b.Cache == "" {
		return nil, nil
	}
	shells, err := fallbackShells(tree, b)
	if err != nil {
		return nil, err
	}
	var files []CacheFile
	for _, from := range []struct{ dir, prefix string }{
		{path.Join(b.Cache, b.CacheBuild), b.CacheBuild},
		{path.Join(b.Cache, fetchDir, b.BuildID), path.Join(fetchDir, b.CacheBuild)},
		{path.Join(b.Cache, fetchDir, b.CacheBuild), path.Join(fetchDir, b.CacheBuild)},
	} {
		err := fs.WalkDir(tree, from.dir, func(name string, entry fs.DirEntry, err error) error {
			if name == from.dir && errors.Is(err, fs.ErrNotExist) { // nothing was prerendered
				return nil
			}
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			if shells.hasShell(strings.TrimPrefix(name, from.dir)) {
				return nil
			}
			key := path.Join(from.prefix, strings.TrimPrefix(name, from.dir))
			files = append(files, CacheFile{Key: key, Path: name})
			return nil
		})
		if err != nil {
			return nil, unreadableError(from.dir, err)
		}
	}
	slices.SortStableFunc(files, func(a, b CacheFile) int { return strings.Compare(a.Key, b.Key) })
	return slices.CompactFunc(files, func(a, b CacheFile) bool { return a.Key == b.Key }), nil
}

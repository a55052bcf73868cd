package awswire

import "path"

// SeedKey returns the object key under which bundles look for a file of the build's cache folder.
// rel is its path below .open-next/cache, with slashes.
func SeedKey(rel string) string { return path.Join(CachePrefix, rel) }

package asset

import (
	"path/filepath"
	"strconv"
	"sync/atomic"
)

const (
	brotliSuffix = ".br"
	gzipSuffix   = ".gz"
	zstdSuffix   = ".zst"
)

var (
	brotliCoding = []string{"br"}
	gzipCoding   = []string{"gzip"}
	zstdCoding   = []string{"zstd"}
)

// variant is one representation of a file. Header values are slices made once: a response uses them
// without a copy.
type variant struct {
	coding []string // Content-Encoding; nil for the file itself
	etag   []string // strong, and different for each coding (RFC 9110, section 8.8.3.3)
	length []string // Content-Length
	size   int64
	kept   atomic.Pointer[[]byte] // the body, while Memory keeps it
	used   atomic.Bool            // asked for since Memory last looked

	whole, unchanged head // of a 200 and a 304
}

func newVariant(coding []string, tag, suffix string, size int64) *variant {
	return &variant{
		coding: coding,
		etag:   []string{`"` + tag + suffix + `"`},
		length: []string{strconv.FormatInt(size, 10)},
		size:   size,
	}
}

// entityTag keeps 128 bits of the digest, enough that no two files of a site share a tag.
func entityTag(digest string) string { return digest[:32] }

// variantFile distributes variants over 256 folders, so that no folder grows with every deployment.
func variantFile(dir, digest, suffix string) string {
	return filepath.Join(dir, digest[:2], digest+suffix)
}

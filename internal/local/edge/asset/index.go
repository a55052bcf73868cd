// Package asset indexes the static files of one deployment and serves them over HTTP. Content
// types, strong entity tags, cache lifetimes and precompressed variants are determined once, when a
// deployment is built, so that a request only picks a ready answer.
package asset

import (
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/artifact/staticfile"
)

// File is one static file as the artifact's manifest names it.
type File struct {
	Path   string // slash-separated, below Place.Root
	Digest string // SHA-256 of the content, 64 lower-case hex digits
	Size   int64  // octets
}

// Place says where the files of an index are. It is not part of the encoded index, so a data folder
// can be moved.
type Place struct {
	Root     string  // folder of this deployment's files
	Variants string  // folder of compressed variants by digest; shared by deployments
	Memory   *Memory // keeps small bodies; nil reads every body from its file
	Shared   *Shared // of the indexes that have files in common; nil shares nothing
}

// Index maps URL paths to the files of one deployment. It is immutable and safe for concurrent use.
// A nil *Index is an empty one.
type Index struct {
	place        Place
	prefix       string
	modTime      time.Time
	lastModified []string
	entries      map[string]*entry
}

// Asset is one file of an Index.
type Asset struct {
	index *Index
	entry *entry
}

type entry struct {
	path         string
	digest       string
	contentType  []string
	cacheControl []string
	identity     variant
	brotli       *variant
	zstd         *variant
	gzip         *variant
}

// sizes are the octets of a file's variants; 0 for a variant that does not exist.
type sizes struct{ brotli, zstd, gzip int64 }

func newIndex(place Place, prefix string, modTime time.Time, size int) *Index {
	modTime = modTime.UTC().Truncate(time.Second)
	return &Index{
		place:        place,
		prefix:       prefix,
		modTime:      modTime,
		lastModified: []string{modTime.Format(http.TimeFormat)},
		entries:      make(map[string]*entry, size),
	}
}

// Lookup returns the file that a URL path names. The path is percent-decoded once
// (http.Request.URL.Path), so that "/%5Bslug%5D.js" finds the file "[slug].js". It only finds paths
// that the index was built from.
func (x *Index) Lookup(path string) (Asset, bool) {
	if x == nil {
		return Asset{}, false
	}
	rest, ok := strings.CutPrefix(path, x.prefix)
	if !ok || rest == "" || rest[0] != '/' {
		return Asset{}, false
	}
	e, ok := x.entries[rest[1:]]
	return Asset{index: x, entry: e}, ok
}

// Hashed reports whether a URL path is below this deployment's _next/static: content-hashed files,
// which no function ever answers.
func (x *Index) Hashed(path string) bool {
	if x != nil {
		var ok bool
		if path, ok = strings.CutPrefix(path, x.prefix); !ok {
			return false
		}
	}
	return strings.HasPrefix(path, "/"+staticfile.HashedFolder)
}

// Paths returns the files' paths below their root, in no particular order.
func (x *Index) Paths() iter.Seq[string] {
	if x == nil {
		return func(func(string) bool) {}
	}
	return maps.Keys(x.entries)
}

// Len returns the number of files.
func (x *Index) Len() int {
	if x == nil {
		return 0
	}
	return len(x.entries)
}

// ContentType returns the media type the file is served with.
func (a Asset) ContentType() string { return a.entry.contentType[0] }

// CacheControl returns the Cache-Control header: how long clients may keep the file.
func (a Asset) CacheControl() string { return a.entry.cacheControl[0] }

// Path returns the file's path below its root, slash-separated.
func (a Asset) Path() string { return a.entry.path }

func newEntry(f File, coded sizes) *entry {
	tag, coding := entityTag(f.Digest), contentCoding(f.Path)
	e := &entry{
		path:         f.Path,
		digest:       f.Digest,
		contentType:  contentType(f.Path),
		cacheControl: cacheControl(f.Path),
		identity:     *newVariant(coding, tag, "", f.Size),
	}
	if coding != nil { // an older Anchor may have made variants
		return e
	}
	if coded.brotli > 0 {
		e.brotli = newVariant(brotliCoding, tag, "-br", coded.brotli)
	}
	if coded.zstd > 0 {
		e.zstd = newVariant(zstdCoding, tag, "-zst", coded.zstd)
	}
	if coded.gzip > 0 {
		e.gzip = newVariant(gzipCoding, tag, "-gz", coded.gzip)
	}
	return e
}

// variantPath returns the path of the bytes of one variant of an entry.
func (p Place) variantPath(e *entry, v *variant) string {
	switch v {
	case e.brotli:
		return variantFile(p.Variants, e.digest, brotliSuffix)
	case e.zstd:
		return variantFile(p.Variants, e.digest, zstdSuffix)
	case e.gzip:
		return variantFile(p.Variants, e.digest, gzipSuffix)
	}
	return filepath.Join(p.Root, filepath.FromSlash(e.path))
}

func (f File) checkFile() error {
	if !fs.ValidPath(f.Path) || f.Path == "." || strings.ContainsAny(f.Path, "\\\x00") {
		return fmt.Errorf("asset %q: not a plain relative path; build the artifact again", f.Path)
	}
	if !isDigest(f.Digest) {
		return fmt.Errorf("asset %q: digest %q is not 64 lower-case hex digits of SHA-256", f.Path, f.Digest)
	}
	return nil
}

func isDigest(s string) bool {
	if len(s) != 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// cleanPrefix converts a basePath as Next.js writes it ("/docs", "" or "/") to the prefix of URL
// paths.
func cleanPrefix(basePath string) string {
	trimmed := strings.Trim(basePath, "/")
	if trimmed == "" {
		return ""
	}
	return "/" + trimmed
}

package asset

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// formatVersion changes when an older Anchor could misread the encoded index.
const formatVersion = 1

type encodedIndex struct {
	Version int           `json:"version"`
	Prefix  string        `json:"prefix,omitempty"`
	ModTime time.Time     `json:"modTime"`
	Files   []encodedFile `json:"files"`
}

type encodedFile struct {
	Path   string `json:"path"`
	Digest string `json:"digest"`
	Size   int64  `json:"size"`
	Brotli int64  `json:"br,omitempty"`
	Zstd   int64  `json:"zst,omitempty"` // absent in indexes of older Anchors
	Gzip   int64  `json:"gz,omitempty"`
}

// Encode writes the index as JSON. It omits media types and cache lifetimes: they follow from the
// path, and an upgraded Anchor applies its own rules.
func (x *Index) Encode(w io.Writer) error {
	doc := encodedIndex{Version: formatVersion, Prefix: x.prefix, ModTime: x.modTime, Files: []encodedFile{}}
	for _, e := range x.entries {
		doc.Files = append(doc.Files, e.encodeEntry())
	}
	slices.SortFunc(doc.Files, func(a, b encodedFile) int { return strings.Compare(a.Path, b.Path) })
	if err := json.NewEncoder(w).Encode(doc); err != nil {
		return fmt.Errorf("encode asset index: %w", err)
	}
	return nil
}

func (e *entry) encodeEntry() encodedFile {
	f := encodedFile{Path: e.path, Digest: e.digest, Size: e.identity.size}
	if e.brotli != nil {
		f.Brotli = e.brotli.size
	}
	if e.zstd != nil {
		f.Zstd = e.zstd.size
	}
	if e.gzip != nil {
		f.Gzip = e.gzip.size
	}
	return f
}

// Decode reads what Encode wrote. It does not open the files: a missing file shows when it is
// requested.
func Decode(r io.Reader, place Place) (*Index, error) {
	var doc encodedIndex
	if err := json.NewDecoder(r).Decode(&doc); err != nil {
		return nil, fmt.Errorf("decode asset index: %w", err)
	}
	if doc.Version != formatVersion {
		return nil, fmt.Errorf("decode asset index: format version %d, this Anchor reads %d; build the index again",
			doc.Version, formatVersion)
	}
	index := newIndex(place, cleanPrefix(doc.Prefix), doc.ModTime, len(doc.Files))
	for _, f := range doc.Files {
		file := File{Path: f.Path, Digest: f.Digest, Size: f.Size}
		if err := file.checkFile(); err != nil {
			return nil, fmt.Errorf("decode asset index: %w", err)
		}
		index.entries[f.Path] = place.Shared.entryOf(file, sizes{brotli: f.Brotli, zstd: f.Zstd, gzip: f.Gzip})
	}
	return index, nil
}

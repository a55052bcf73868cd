package artifact

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// File is one entry of a Manifest: a regular file, or a symbolic link when Link
// is set. Folders are not listed; those that hold files come to be by them.
type File struct {
	Path   string `json:"path"` // slash-separated, relative to the artifact's root
	Size   int64  `json:"size,omitempty"`
	Digest Digest `json:"digest,omitempty"`
	Exec   bool   `json:"exec,omitempty"` // the file may be executed
	Link   string `json:"link,omitempty"` // the link's target, relative to the folder the link is in
}

// Manifest lists all files of an artifact.
type Manifest struct {
	Files []File `json:"files"` // sorted by Path
}

// Sorted returns m with its files sorted by path.
func (m Manifest) Sorted() Manifest {
	byPath := func(a, b File) int { return strings.Compare(a.Path, b.Path) }
	if slices.IsSortedFunc(m.Files, byPath) {
		return m
	}
	return Manifest{Files: slices.SortedStableFunc(slices.Values(m.Files), byPath)}
}

// Digest identifies the artifact: two manifests that list the same files, in any order, have
// the same digest.
func (m Manifest) Digest() Digest { return DigestOf(m.Encode()) }

// Size returns the bytes of all files together; a content listed twice counts twice.
func (m Manifest) Size() int64 {
	var total int64
	for _, f := range m.Files {
		total += f.Size
	}
	return total
}

// Contents returns the size of each content the manifest names.
func (m Manifest) Contents() map[Digest]int64 {
	sizes := make(map[Digest]int64, len(m.Files))
	for _, f := range m.Files {
		if f.Link == "" {
			sizes[f.Digest] = f.Size
		}
	}
	return sizes
}

// Select returns a file for each of the digests. A digest without a file is an Invalid error.
func (m Manifest) Select(digests []Digest) ([]File, error) {
	byDigest := make(map[Digest]File, len(m.Files))
	for _, f := range m.Files {
		if f.Link == "" {
			byDigest[f.Digest] = f
		}
	}
	files := make([]File, 0, len(digests))
	for _, d := range digests {
		f, ok := byDigest[d]
		if !ok {
			return nil, anchor.Invalid("unknown_content", "no file of the deployment has the digest %q", cutText(string(d), digestLen)).
				Hintf("Request only digests that the start of the deployment listed as missing.")
		}
		files = append(files, f)
	}
	return files, nil
}

// Encode returns the JSON that m is stored as and that Digest hashes: the files sorted by path.
func (m Manifest) Encode() []byte {
	m = m.Sorted()
	if m.Files == nil {
		m.Files = []File{}
	}
	data, err := json.Marshal(m)
	if err != nil {
		panic("bundle: a manifest holds nothing that JSON cannot: " + err.Error())
	}
	return data
}

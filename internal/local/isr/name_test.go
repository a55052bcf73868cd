package isr

import (
	"bytes"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var safeFolder = regexp.MustCompile(`^(ns-[a-z0-9][a-z0-9_-]{0,63}|sha256-[0-9a-f]{64})$`)

// Two keys or namespaces never share a file, even on a file system that folds case, and none leaves
// its folder.
func FuzzNames(f *testing.F) {
	f.Add("k", "K")
	f.Add("../../etc/passwd", "..")
	f.Add("", "\x00")
	f.Add("sha256-"+digestOf("x"), "x")
	f.Fuzz(func(t *testing.T, a, b string) {
		for _, name := range []string{a, b} {
			if folder := folderName(name); !safeFolder.MatchString(folder) || !filepath.IsLocal(folder) {
				t.Fatalf("%q is kept in %q", name, folder)
			}
			if file := fileName(name); len(file) != 64 || !filepath.IsLocal(file) {
				t.Fatalf("%q is kept in %q", name, file)
			}
		}
		if a != b && (strings.EqualFold(folderName(a), folderName(b)) || fileName(a) == fileName(b)) {
			t.Fatalf("%q and %q share a place", a, b)
		}
	})
}

func FuzzHeader(f *testing.F) {
	f.Add(header{modifiedMS: 1, size: 2, key: "k"}.encodeHeader())
	f.Add([]byte(headerMagic))
	f.Add(append([]byte(headerMagic), bytes.Repeat([]byte{0xff}, 60)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHeader(bytes.NewReader(b))
		if err == nil && !bytes.HasPrefix(b, h.encodeHeader()) {
			t.Fatalf("%x was read as %+v", b, h)
		}
	})
}

// Package e2e tests the whole product: a built example app, the real binary, real Node.js, HTTP
// from outside. This file makes many distinct deployments out of one Next.js build, so that a
// test of twenty versions need not build twenty times.
package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// Label is the version label the example is built with (Makefile, LABEL).
const Label = "storefront-0001"

// LabelOf returns the label of the n-th variant, which is as long as Label.
func LabelOf(n int) string { return fmt.Sprintf("storefront-%04d", n) }

// Variant copies the OpenNext build of app as the n-th version. It replaces its label, its build
// id and the names of the chunks that contain the label, everywhere and with text of equal
// length. The copy differs from the original as another build of the same app with another label
// would.
func Variant(app, dst string, n int) error {
	src := filepath.Join(app, ".open-next")
	swaps, err := findSwaps(src, n)
	if err != nil {
		return err
	}
	return filepath.WalkDir(src, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(src, path)
		if err != nil {
			return err
		}
		to := filepath.Join(dst, ".open-next", swaps.Replace(rel))
		switch {
		case e.IsDir():
			return os.MkdirAll(to, 0o755)
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, to)
		case !isText(path):
			return link(path, to)
		}
		return rewrite(path, to, swaps)
	})
}

// link shares a file that no variant changes, or copies it to another file system.
func link(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, text, 0o644)
}

func rewrite(from, to string, swaps *strings.Replacer) error {
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, []byte(swaps.Replace(string(text))), 0o644)
}

// isText reports whether a build's file can contain a label. Files of packages never do.
func isText(path string) bool {
	if strings.Contains(path, string(filepath.Separator)+"node_modules"+string(filepath.Separator)) {
		return false
	}
	switch filepath.Ext(path) {
	case ".js", ".mjs", ".cjs", ".json", ".html", ".cache", ".rsc", ".meta", ".txt", ".css", ".body", "":
		return true
	}
	return false
}

var chunkHash = regexp.MustCompile(`-([0-9a-f]{16})\.(?:js|css)$`)

// findSwaps lists what must change: the label, the build id, and the hash in the
// name of each chunk whose content has the label.
func findSwaps(src string, n int) (*strings.Replacer, error) {
	id, err := os.ReadFile(filepath.Join(src, "assets", "BUILD_ID"))
	if err != nil {
		return nil, fmt.Errorf("the example is not built, run make examples: %w", err)
	}
	build := strings.TrimSpace(string(id))
	pairs := []string{Label, LabelOf(n), build, renumber(build, n)}
	chunks := 0
	err = filepath.WalkDir(filepath.Join(src, "assets", "_next", "static"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if m := chunkHash.FindStringSubmatch(path); m != nil && bytes.Contains(text, []byte(Label)) {
			pairs = append(pairs, m[1], renumber(m[1], n))
			chunks++
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if chunks == 0 {
		return nil, fmt.Errorf("no chunk of %s holds the label %s: build the example again", src, Label)
	}
	return strings.NewReplacer(pairs...), nil
}

// renumber puts n into the end of an identifier, keeping its length.
func renumber(id string, n int) string {
	tail := fmt.Sprintf("%04d", n)
	return id[:len(id)-len(tail)] + tail
}

package opennext_test

import (
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// load returns a tree of testdata. Files that begin with "hex:" are binary.
func load(t testing.TB, name string) fstest.MapFS {
	t.Helper()
	archive, err := txtar.ParseFile(filepath.Join("testdata", name))
	must(t, err)
	tree := fstest.MapFS{}
	for _, file := range archive.Files {
		tree[file.Name] = text(string(file.Data))
		if digits, binary := strings.CutPrefix(string(file.Data), "hex:"); binary {
			data, err := hex.DecodeString(strings.TrimSpace(digits))
			must(t, err)
			tree[file.Name].Data = data
		}
	}
	return tree
}

func text(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s), Mode: 0o644} }

func remove(tree fstest.MapFS, prefix string) {
	for name := range tree {
		if name == prefix || strings.HasPrefix(name, prefix+"/") {
			delete(tree, name)
		}
	}
}

// replace edits a file of the tree, and fails the test when old is not in it.
func replace(t *testing.T, tree fstest.MapFS, name, old, with string) {
	t.Helper()
	before := string(tree[name].Data)
	if !strings.Contains(before, old) {
		t.Fatalf("%s does not hold %q", name, old)
	}
	tree[name] = text(strings.ReplaceAll(before, old, with))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantCode asserts the code of an error and that it has a hint, and returns the error.
func wantCode(t *testing.T, err error, code string) *anchor.Error {
	t.Helper()
	e := (*anchor.Error)(nil)
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v (%+v), want the code %q", err, e, code)
	}
	if e.Hint == "" {
		t.Errorf("%v does not say what to do", err)
	}
	return e
}

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
}

package artifact_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// A folder that cannot be opened does not change which files are found afterwards, and no folder outside
// the root is opened.
func TestFolderFiles_Open(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(dir, "top"): "top", filepath.Join(dir, "a", "f"): "of a", filepath.Join(dir, "a", "b", "f"): "of b", filepath.Join(outside, "f"): "secret",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, filepath.Join(dir, "out")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	files := artifact.NewFolderFiles(root)
	defer files.Close()
	for _, c := range []struct{ name, text string }{
		{"a/f", "of a"}, {"none/f", ""}, {"a/f", "of a"}, {"out/f", ""}, {"a/b/f", "of b"}, {"top", "top"}, {"a/b", ""}, {"a/f", "of a"},
	} {
		file, err := files.Open(c.name)
		if c.text == "" {
			if anchor.KindOf(err) != anchor.KindInvalid {
				t.Errorf("%s: error %v", c.name, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(file)
		if file.Close(); err != nil || string(text) != c.text {
			t.Errorf("%s: %q, %v", c.name, text, err)
		}
	}
}

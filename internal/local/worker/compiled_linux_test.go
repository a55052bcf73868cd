package worker

import (
	"bytes"
	"net/url"
	"os"
	"path/filepath"
	"testing"
)

// TestWalls_CompiledCodeIsReadOnly: who could write it could run code in the processes of another
// deployment, or of this one for as long as it is kept.
func TestWalls_CompiledCodeIsReadOnly(t *testing.T) {
	level := useWalls(t)
	dir, folder := modulesTree(t), t.TempDir()
	for name, mode := range map[string]os.FileMode{folder: 0o700, dir: 0o755} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
	}
	own, other := filepath.Join(folder, "own"), filepath.Join(folder, "other")
	s, neighbor := newSite(t, modulesSpec(dir, own)), newSite(t, modulesSpec(modulesTree(t), other))
	for _, pool := range []*Pool{s.Pool, neighbor.Pool} {
		if err := compile(t, pool); err != nil {
			t.Fatal(err)
		}
	}
	secondWord(t, dir)
	before := [][]byte{readFile(s.compiledPath()), readFile(neighbor.compiledPath()), nil}
	for i, path := range []string{s.compiledPath(), neighbor.compiledPath(), filepath.Join(own, "v99.0.0")} {
		query := url.Values{"write": {path}, "remove": {path}}
		got := decode[modulesAnswer](t, s.get(t, "/?"+query.Encode()).body)
		if got.Word != "first" {
			t.Errorf("level %d: the process has not loaded the compiled code", level)
		}
		// The process may have a folder of that name in a /tmp of its own.
		if !bytes.Equal(readFile(path), before[i]) {
			t.Errorf("level %d: %s could be written (%s) or removed (%s)", level, path, got.Written, got.Removed)
		}
	}
}

// readFile returns the content of a file, nil when there is none.
func readFile(path string) []byte {
	data, _ := os.ReadFile(path) // nil says it
	return data
}

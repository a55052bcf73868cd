package artifact_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

func newID() anchor.DeploymentID { return anchor.DeploymentID(anchor.NewID()) }

func openStore(t *testing.T) *artifact.Store {
	t.Helper()
	return reopen(t, t.TempDir())
}

func reopen(t *testing.T, dir string) *artifact.Store {
	t.Helper()
	store, err := artifact.Open(dir)
	must(t, err)
	t.Cleanup(func() { must(t, store.Close()) })
	return store
}

func storeDir(s *artifact.Store) string {
	return filepath.Dir(filepath.Dir(s.Tree(newID())))
}

// upload does what the command line does: list, ask, send.
func upload(t *testing.T, store *artifact.Store, id anchor.DeploymentID, source string) artifact.Manifest {
	t.Helper()
	m, err := artifact.Scan(t.Context(), source, nil)
	must(t, err)
	must(t, store.SaveManifest(t.Context(), id, m))
	missing, err := store.Missing(t.Context(), id)
	must(t, err)
	byDigest := map[artifact.Digest]artifact.File{}
	for _, f := range m.Files {
		byDigest[f.Digest] = f
	}
	for _, digest := range missing {
		f := byDigest[digest]
		file, err := os.Open(filepath.Join(source, f.Path))
		must(t, err)
		must(t, store.Put(t.Context(), digest, f.Size, file))
		must(t, file.Close())
	}
	return m
}

func put(t *testing.T, store *artifact.Store, content string) {
	t.Helper()
	must(t, store.Put(t.Context(), artifact.DigestOf([]byte(content)), int64(len(content)), strings.NewReader(content)))
}

func manifestOf(files map[string]string) artifact.Manifest {
	var m artifact.Manifest
	for name, content := range files {
		m.Files = append(m.Files, artifact.File{Path: name, Size: int64(len(content)), Digest: artifact.DigestOf([]byte(content))})
	}
	return m.Sorted()
}

func writeTree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	return dir
}

// readTree returns the content of each file, and "-> target" for a link.
func readTree(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	must(t, filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, name)
		must(t, err)
		if entry.Type()&fs.ModeSymlink != 0 {
			target, err := os.Readlink(name)
			files[rel] = "-> " + target
			return err
		}
		content, err := os.ReadFile(name)
		files[rel] = string(content)
		return err
	}))
	return files
}

func wantNoLeftovers(t *testing.T, store *artifact.Store) {
	t.Helper()
	for _, pattern := range []string{"*.part", "*/*.part"} {
		left, err := filepath.Glob(filepath.Join(storeDir(store), "incoming", pattern))
		must(t, err)
		if len(left) != 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func codeOf(err error) string {
	if e := (*anchor.Error)(nil); errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// wantCode also holds every error to having a hint.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	e := (*anchor.Error)(nil)
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v (code %q), want the code %q", err, codeOf(err), code)
	}
	if e.Hint == "" {
		t.Errorf("%v does not say what to do", err)
	}
}

func wantHint(t *testing.T, err error) {
	t.Helper()
	if e := (*anchor.Error)(nil); !errors.As(err, &e) || e.Code == "" || e.Hint == "" {
		t.Errorf("%v lacks a code or does not say what to do", err)
	}
}

// failing is a connection that breaks.
type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

// counting is an endless content that counts the bytes read from it.
type counting struct {
	read  int
	after int // when so many were read,
	call  func()
}

func (c *counting) Read(p []byte) (int, error) {
	clear(p)
	if c.read += len(p); c.call != nil && c.read >= c.after {
		c.call()
	}
	return len(p), nil
}

package atomicfile_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/anchor-deploy/anchor/internal/atomicfile"
)

func TestWriteFile_ReplacesAndSetsMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	for _, content := range []string{"first, the longer one", "second", ""} {
		if err := atomicfile.WriteFile(path, []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		expect(t, path, content)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Fatalf("mode %v, %v", info.Mode(), err)
	}
	expectAlone(t, path)
}

func TestWriteFile_FailingSourceKeepsOldContent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "entry")
	if err := atomicfile.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	broken := errors.New("the peer went away")
	_, err := atomicfile.WriteFrom(path, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), 0o600)
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), path) {
		t.Fatalf("got %v", err)
	}
	expect(t, path, "old")
	expectAlone(t, path)
}

func TestDiscard_AfterCommitKeepsFile(t *testing.T) {
	dir := t.TempDir()
	tmp, path := filepath.Join(dir, "tmp"), filepath.Join(dir, "kept")
	if err := os.Mkdir(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	f, err := atomicfile.CreateIn(tmp, path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("....body")); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("head"), 0); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(); err != nil {
		t.Fatal(err)
	}
	f.Discard()
	expect(t, path, "headbody")
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Fatalf("left in tmp: %v", left)
	}
}

func TestWriteFile_ReadersSeeWholeVersions(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page")
	versions := []string{strings.Repeat("a", 1<<16), strings.Repeat("b", 1<<15)}
	if err := atomicfile.WriteFile(path, []byte(versions[0]), 0o600); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for _, content := range versions {
		writers.Go(func() {
			for range 20 {
				if err := atomicfile.WriteFile(path, []byte(content), 0o600); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		got, err := os.ReadFile(path)
		if err != nil || string(got) != versions[0] && string(got) != versions[1] {
			t.Fatalf("read %d bytes, %v", len(got), err)
		}
	}
	writers.Wait()
}

func TestErrors_NameFileAndHint(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "no", "such", "file")
	err := atomicfile.WriteFile(missing, nil, 0o600)
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), missing) {
		t.Fatalf("got %v", err)
	}
	full := &atomicfile.Error{Op: "write", Path: "/data/isr/x", Err: &fs.PathError{Op: "write", Path: "tmp", Err: syscall.ENOSPC}}
	if !strings.Contains(full.Error(), "disk is full") || !strings.Contains(full.Error(), "/data/isr") {
		t.Fatalf("got %v", full)
	}
}

// /dev/full answers every write with ENOSPC: the real error of the real kernel.
func TestIsFull_RecognizesFullDisk(t *testing.T) {
	f, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = f.Write([]byte("x"))
	if got := (&atomicfile.Error{Op: "write", Path: "/dev/full", Err: err}).Error(); !strings.Contains(got, "free space") {
		t.Fatalf("got %q", got)
	}
}

func TestSyncDir(t *testing.T) {
	root := t.TempDir()
	if err := atomicfile.SyncDir(root); err != nil {
		t.Fatal(err)
	}
	gone := filepath.Join(root, "gone")
	if err := atomicfile.SyncDir(gone); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), gone) {
		t.Fatalf("got %v", err)
	}
}

func expect(t *testing.T, path, want string) {
	t.Helper()
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Fatalf("%s holds %q, %v; want %q", path, got, err, want)
	}
}

func expectAlone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Fatalf("folder holds %v, %v", entries, err)
	}
}

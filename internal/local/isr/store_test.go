package isr_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/local/isr"
)

func open(t testing.TB, dir string) *isr.Store {
	t.Helper()
	s, err := isr.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func TestStore_EntriesSurviveWithoutClose(t *testing.T) {
	dir := t.TempDir()
	killed := open(t, dir) // still open when the next one opens: what kill -9 leaves
	put(t, killed, "one", "k", "value")
	writeTags(t, killed, "one", isr.TagRow{Tag: "t", Path: "p", RevalidatedAt: 7})
	halfWritten := filepath.Join(dir, "tmp", ".writing-1")
	if err := os.WriteFile(halfWritten, []byte("ANCH"), 0o600); err != nil {
		t.Fatal(err)
	}

	s := open(t, dir)
	if got := get(t, s, "one", "k"); got != "value" {
		t.Errorf("got %q", got)
	}
	if rows, err := s.ByPath(t.Context(), "one", "p", 0); err != nil || len(rows) != 1 || rows[0].RevalidatedAt != 7 {
		t.Errorf("%v, %v", rows, err)
	}
	if _, err := os.Stat(halfWritten); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the half-written file stays: %v", err)
	}
}

func TestStore_NamespacesAndKeysAreSeparate(t *testing.T) {
	s := open(t, t.TempDir())
	long := strings.Repeat("x", isr.MaxKey)
	names := []string{"a", "A", "", "..", "../a", "ns-a", "a/b", strings.Repeat("a", 300), "sha256-" + strings.Repeat("0", 64), "\x00", "ü"}
	keys := []string{"k", "K", ".", "..", "/", "//", "../a/k", "k\x00", long, long[1:] + "y"}
	for _, ns := range names {
		for _, key := range keys {
			put(t, s, ns, key, ns+"|"+key)
		}
	}
	for _, ns := range names {
		for _, key := range keys {
			if got := get(t, s, ns, key); got != ns+"|"+key {
				t.Fatalf("namespace %q key %.20q holds %.40q", ns, key, got)
			}
		}
	}
}

func TestStore_RefusesBadKeys(t *testing.T) {
	s := open(t, t.TempDir())
	for _, key := range []string{"", strings.Repeat("x", isr.MaxKey+1)} {
		if _, err := s.Put(t.Context(), "one", key, time.Time{}, strings.NewReader("x")); !errors.Is(err, isr.ErrKey) {
			t.Errorf("%d bytes: %v", len(key), err)
		}
	}
}

func TestStore_FailedPutKeepsOldEntry(t *testing.T) {
	s := open(t, t.TempDir())
	put(t, s, "one", "k", "old")
	broken := errors.New("the app died")
	_, err := s.Put(t.Context(), "one", "k", time.Time{}, io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)))
	if !errors.Is(err, broken) || get(t, s, "one", "k") != "old" {
		t.Errorf("%v; the entry is %q", err, get(t, s, "one", "k"))
	}
}

func TestStore_ConcurrentPutsLeaveOneWhole(t *testing.T) {
	s := open(t, t.TempDir())
	bodies := map[string]bool{}
	for n := range 4 {
		bodies[strings.Repeat(fmt.Sprint(n), 10_000*(n+1))] = true
	}
	put(t, s, "one", "k", strings.Repeat("0", 10_000))
	var writers sync.WaitGroup
	for body := range bodies {
		writers.Go(func() {
			for range 10 {
				put(t, s, "one", "k", body)
			}
		})
	}
	for range 100 {
		if got := get(t, s, "one", "k"); !bodies[got] {
			t.Fatalf("read a mixture of %d bytes", len(got))
		}
	}
	writers.Wait()
}

func TestStore_DamagedFileIsAbsent(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	put(t, s, "one", "k", "a body of some length")
	files, err := filepath.Glob(filepath.Join(dir, "objects", "ns-one", "*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{
		"empty":      nil,
		"cut off":    whole[:len(whole)-1],
		"header cut": whole[:20],
		"overlong":   append(bytes.Clone(whole), 'x'),
		"foreign":    bytes.Replace(whole, []byte("ANCHISR1"), []byte("ANCHISR0"), 1),
	} {
		if err := os.WriteFile(files[0], content, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Get(t.Context(), "one", "k"); !errors.Is(err, isr.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	put(t, s, "one", "k", "new")
	if got := get(t, s, "one", "k"); got != "new" {
		t.Errorf("got %q", got)
	}
}

// A tag revalidated between the making of an entry and its write concerns the entry.
func TestStore_ModifiedIsWhenMakingBegan(t *testing.T) {
	s := open(t, t.TempDir())
	before := time.Now().Truncate(time.Millisecond)
	for what, c := range map[string]struct{ made, earliest, latest time.Time }{
		"begun earlier": {before.Add(-time.Minute), before.Add(-time.Minute), before.Add(-time.Minute)},
		"unknown":       {time.Time{}, before, before.Add(time.Hour)},
		// No revalidation would concern it before that time.
		"in the future": {before.Add(2 * time.Hour), before, before.Add(time.Hour)},
	} {
		written, err := s.Put(t.Context(), "one", what, c.made, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		o, err := s.Get(t.Context(), "one", what)
		if err != nil {
			t.Fatal(err)
		}
		o.Close()
		if o.Modified.Before(c.earliest) || o.Modified.After(c.latest) || !o.Modified.Equal(written.Modified) {
			t.Errorf("%s: modified %v, Put returned %v, want %v to %v", what, o.Modified, written.Modified, c.earliest, c.latest)
		}
	}
}

func TestSeed_KeepsAppWrites(t *testing.T) {
	s := open(t, t.TempDir())
	files := seedFiles(t, "written", "deleted", "untouched")
	built := time.UnixMilli(1_700_000_000_000)
	tags := []isr.TagRow{{Tag: "t", Path: "p", RevalidatedAt: 1}, {Tag: "u", Path: "p", RevalidatedAt: 1}}
	seed(t, s, files, built, tags)
	put(t, s, "one", "written", "by the app")
	if err := s.Delete(t.Context(), "one", "deleted"); err != nil {
		t.Fatal(err)
	}
	writeTags(t, s, "one", isr.TagRow{Tag: "t", Path: "p", RevalidatedAt: 99})

	seed(t, s, files, built.Add(time.Hour), tags)
	if got := get(t, s, "one", "written"); got != "by the app" {
		t.Errorf("written: %q", got)
	}
	if _, err := s.Get(t.Context(), "one", "deleted"); !errors.Is(err, isr.ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	o, err := s.Get(t.Context(), "one", "untouched")
	if err != nil || !o.Modified.Equal(built) {
		t.Fatalf("untouched: %v, %v", o, err)
	}
	defer o.Close()
	rows, err := s.ByPath(t.Context(), "one", "p", 0)
	want := []isr.TagRow{{Tag: "u", Path: "p", RevalidatedAt: 1}, {Tag: "t", Path: "p", RevalidatedAt: 99}}
	if diff := cmp.Diff(want, rows); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestSeed_EntryFollowsFile(t *testing.T) {
	root := t.TempDir()
	file := filepath.Join(root, "data", "artifact", "page.cache")
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("seeded"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := isr.Open(filepath.Join(root, "data", "isr"))
	if err != nil {
		t.Fatal(err)
	}
	seed(t, s, map[string]string{"page": file}, time.Now(), nil)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(root, "data"), filepath.Join(root, "moved")); err != nil {
		t.Fatal(err)
	}
	moved := open(t, filepath.Join(root, "moved", "isr"))
	if got := get(t, moved, "one", "page"); got != "seeded" {
		t.Errorf("after the data folder moved: %q", got)
	}
	if err := os.Remove(filepath.Join(root, "moved", "artifact", "page.cache")); err != nil {
		t.Fatal(err)
	}
	if _, err := moved.Get(t.Context(), "one", "page"); !errors.Is(err, isr.ErrNotFound) {
		t.Errorf("after the file went: %v", err)
	}
}

func TestDrop_RemovesOneNamespace(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	files := seedFiles(t, "seeded")
	seed(t, s, files, time.Now(), []isr.TagRow{{Tag: "t", Path: "p", RevalidatedAt: 1}})
	put(t, s, "one", "k", "of one")
	put(t, s, "two", "k", "of two")
	for range 2 {
		if err := s.Drop(t.Context(), "one"); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{"k", "seeded"} {
		if _, err := s.Get(t.Context(), "one", key); !errors.Is(err, isr.ErrNotFound) {
			t.Errorf("%s: %v", key, err)
		}
	}
	if rows, err := s.ByTag(t.Context(), "one", "t"); err != nil || len(rows) != 0 {
		t.Errorf("%v, %v", rows, err)
	}
	if get(t, s, "two", "k") != "of two" {
		t.Error("the other namespace lost its entry")
	}
	if _, err := os.Stat(files["seeded"]); err != nil {
		t.Errorf("the artifact's file: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "trash", "*")); len(left) != 0 {
		t.Errorf("left on disk: %v", left)
	}
}

func TestStore_KeepsConcurrentTagWrites(t *testing.T) {
	s := open(t, t.TempDir())
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for n := range 5 {
				writeTags(t, s, "one", isr.TagRow{Tag: fmt.Sprintf("t%d-%d", w, n), Path: "p", RevalidatedAt: 2})
				if _, err := s.ByPath(t.Context(), "one", "p", 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	if rows, err := s.ByPath(t.Context(), "one", "p", 1); err != nil || len(rows) != 40 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

func BenchmarkRead(b *testing.B) {
	s := open(b, b.TempDir())
	for ns := range 20 {
		var rows []isr.TagRow
		for n := range 1000 {
			rows = append(rows, isr.TagRow{Tag: fmt.Sprint("t", n%7), Path: fmt.Sprint("p", n), RevalidatedAt: 1})
		}
		writeTags(b, s, fmt.Sprint(ns), rows...)
	}
	put(b, s, "3", "k", strings.Repeat("x", 20_000))
	b.Run("Get", func(b *testing.B) {
		for b.Loop() {
			get(b, s, "3", "k")
		}
	})
	b.Run("ByPath", func(b *testing.B) {
		for b.Loop() {
			if rows, err := s.ByPath(b.Context(), "3", "p500", 1000); err != nil || len(rows) != 0 {
				b.Fatal(rows, err)
			}
		}
	})
}

func put(t testing.TB, s *isr.Store, ns, key, body string) {
	t.Helper()
	if _, err := s.Put(t.Context(), ns, key, time.Time{}, strings.NewReader(body)); err != nil {
		t.Error(err)
	}
}

func get(t testing.TB, s *isr.Store, ns, key string) string {
	t.Helper()
	o, err := s.Get(t.Context(), ns, key)
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	body, err := io.ReadAll(o)
	if err != nil || int64(len(body)) != o.Size {
		t.Fatalf("%d bytes of %d, %v", len(body), o.Size, err)
	}
	return string(body)
}

func writeTags(t testing.TB, s *isr.Store, ns string, rows ...isr.TagRow) {
	t.Helper()
	if err := s.WriteTags(t.Context(), ns, rows, nil); err != nil {
		t.Error(err)
	}
}

func seedFiles(t *testing.T, keys ...string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, key := range keys {
		files[key] = filepath.Join(t.TempDir(), key)
		if err := os.WriteFile(files[key], []byte("seeded "+key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

func seed(t *testing.T, s *isr.Store, files map[string]string, modified time.Time, tags []isr.TagRow) {
	t.Helper()
	var objects []isr.SeedObject
	for key, file := range files {
		objects = append(objects, isr.SeedObject{Key: key, File: file, Modified: modified})
	}
	if err := s.Seed(t.Context(), "one", objects, tags); err != nil {
		t.Fatal(err)
	}
}

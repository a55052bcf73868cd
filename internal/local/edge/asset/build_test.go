package asset

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestBuild_AgainWritesNothing(t *testing.T) {
	f := write(t, site)
	f.build(t, "")
	before := variants(t, f.place)
	if len(before) != 12 { // four files of text in three codings; that noise.js does not shrink is remembered, too
		t.Fatalf("%d variants: %v", len(before), before)
	}
	f.build(t, "")
	after := variants(t, f.place)
	for name, info := range before {
		if !os.SameFile(info, after[name]) {
			t.Errorf("%s was written again", name)
		}
	}
}

func variants(t *testing.T, place Place) map[string]fs.FileInfo {
	t.Helper()
	found := map[string]fs.FileInfo{}
	err := filepath.WalkDir(place.Variants, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		found[path] = info
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestIndex_RoundTrip(t *testing.T) {
	f := write(t, site)
	index := f.build(t, "/docs")
	var doc bytes.Buffer
	if err := index.Encode(&doc); err != nil {
		t.Fatal(err)
	}
	again, err := Decode(bytes.NewReader(doc.Bytes()), f.place)
	if err != nil {
		t.Fatal(err)
	}
	if again.Len() != index.Len() {
		t.Fatalf("%d files, had %d", again.Len(), index.Len())
	}
	for path := range site {
		a, b := get(t, index, "/docs/"+path, "Accept-Encoding", "br"), get(t, again, "/docs/"+path, "Accept-Encoding", "br")
		if a.Header.Get("Etag") != b.Header.Get("Etag") || body(t, a) != body(t, b) {
			t.Errorf("%s differs", path)
		}
	}
}

func TestDecode_Refuses(t *testing.T) {
	for name, doc := range map[string]string{
		"truncated":      `{"version":1,"files":[`,
		"newer version":  `{"version":2}`,
		"escaping path":  `{"version":1,"files":[{"path":"../x","digest":"` + strings.Repeat("a", 64) + `"}]}`,
		"absolute path":  `{"version":1,"files":[{"path":"/x","digest":"` + strings.Repeat("a", 64) + `"}]}`,
		"digest as path": `{"version":1,"files":[{"path":"x","digest":"../../etc/passwd"}]}`,
	} {
		if _, err := Decode(strings.NewReader(doc), Place{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestBuild_Refuses(t *testing.T) {
	f := write(t, map[string]string{"a.txt": "a", "dir/b.txt": "b"})
	if err := os.Symlink("/etc/passwd", filepath.Join(f.place.Root, "link.txt")); err != nil {
		t.Fatal(err)
	}
	digest := f.files[0].Digest
	for name, file := range map[string]File{
		"missing":        {"none.txt", digest, 1},
		"other size":     {"a.txt", digest, 2},
		"folder":         {"dir", digest, 1},
		"symlink":        {"link.txt", digest, 11},
		"escaping":       {"../a.txt", digest, 1},
		"backslash":      {`dir\b.txt`, digest, 1},
		"malformed hash": {"a.txt", "abc", 1},
	} {
		if _, err := Build(context.Background(), f.place, BuildOptions{}, []File{file}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	twice := slices.Concat(f.files, f.files[:1])
	if _, err := Build(context.Background(), f.place, BuildOptions{}, twice); err == nil {
		t.Error("a path given twice: accepted")
	}
}

func TestBuild_CanceledLeavesNoPartialVariant(t *testing.T) {
	f := write(t, site)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Build(ctx, f.place, BuildOptions{}, f.files); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	b := builder{variants: f.place.Variants}
	var err error
	if b.root, err = os.OpenRoot(f.place.Root); err != nil {
		t.Fatal(err)
	}
	defer b.root.Close()
	for _, file := range f.files {
		if _, err := b.ensureVariant(ctx, file, brotliEncoder); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: error %v", file.Path, err)
		}
	}
	if left := variants(t, f.place); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestServe_VanishedFile(t *testing.T) {
	f := write(t, site)
	index := f.build(t, "")
	for _, path := range []string{"/hello.txt", "/logo.png"} {
		a, _ := index.Lookup(path)
		name := filepath.Join(f.place.Root, path)
		if err := os.Truncate(name, 1); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		if err := a.Serve(w, httptest.NewRequest("GET", "/", nil)); err == nil || len(w.Header()) != 0 {
			t.Errorf("%s truncated: error %v, headers %v", path, err, w.Header())
		}
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		if err := a.Serve(w, httptest.NewRequest("GET", "/", nil)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s removed: error %v", path, err)
		}
	}
}

func TestMemory_StaysWithinTotal(t *testing.T) {
	content := map[string]string{}
	for _, name := range strings.Split("abcdefghij", "") {
		content[name+".png"] = strings.Repeat(name, 1000)
	}
	f := write(t, content)
	f.place.Memory = NewMemory(3500, 0)
	index := f.build(t, "")
	for range 3 {
		for path, want := range content {
			if got := body(t, get(t, index, "/"+path)); got != want {
				t.Fatalf("%s: wrong body", path)
			}
			if m := f.place.Memory; m.size > m.total || m.size != int64(1000*len(m.ring)) {
				t.Fatalf("%d octets in %d bodies, total %d", m.size, len(m.ring), m.total)
			}
		}
	}
}

func TestMemory_KeepsFrequent(t *testing.T) {
	f := write(t, map[string]string{"hot.png": "hot", "a.png": "aaa", "b.png": "bbb", "c.png": "ccc", "d.png": "ddd"})
	f.place.Memory = NewMemory(6, 0)
	index := f.build(t, "")
	get(t, index, "/hot.png")
	for _, cold := range []string{"/a.png", "/b.png", "/c.png", "/d.png"} {
		get(t, index, "/hot.png")
		get(t, index, cold)
	}
	if hot, _ := index.Lookup("/hot.png"); hot.entry.identity.kept.Load() == nil {
		t.Error("four bodies asked for once pushed out the one asked for all the time")
	}
}

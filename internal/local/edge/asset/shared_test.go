package asset

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// decodeIndex returns an index of files whose contents begin with a digit.
func decodeIndex(t *testing.T, shared *Shared, files int, digit string) *Index {
	t.Helper()
	index := newIndex(Place{}, "", time.Unix(0, 0), files)
	for i := range files {
		f := File{Path: fmt.Sprintf("_next/static/chunks/some-chunk-%04d.js", i), Digest: digit + strings.Repeat("0", 59) + fmt.Sprintf("%04d", i), Size: 5000}
		index.entries[f.Path] = newEntry(f, sizes{brotli: 1000, zstd: 1100, gzip: 1200})
	}
	var text bytes.Buffer
	if err := index.Encode(&text); err != nil {
		t.Fatal(err)
	}
	decoded, err := Decode(&text, Place{Shared: shared})
	if err != nil {
		t.Fatal(err)
	}
	return decoded
}

func TestShared_EqualFilesHaveOneEntry(t *testing.T) {
	shared := &Shared{}
	first, second, other := decodeIndex(t, shared, 10, "a"), decodeIndex(t, shared, 20, "a"), decodeIndex(t, shared, 10, "b")
	for path, e := range first.entries {
		if second.entries[path] != e {
			t.Errorf("%s has two entries", path)
		}
		if other.entries[path] == e {
			t.Errorf("%s of another content has the same entry", path)
		}
	}
	if n := len(shared.entries); n != 30 {
		t.Errorf("%d entries, want 30", n)
	}
	runtime.KeepAlive(other)
}

func TestShared_ForgetsWithLastIndex(t *testing.T) {
	shared := &Shared{}
	kept := decodeIndex(t, shared, 10, "a")
	decodeIndex(t, shared, 20, "a")
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		runtime.GC()
		shared.mu.Lock()
		n := len(shared.entries)
		shared.mu.Unlock()
		if n == 10 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d entries, want those of the index that is left, 10", n)
		}
	}
	runtime.KeepAlive(kept)
}

// TestShared_Memory: 20 deployments of a project take little more than one.
func TestShared_Memory(t *testing.T) {
	weigh := func(shared *Shared) int64 {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		var all []*Index
		for range 20 {
			all = append(all, decodeIndex(t, shared, 200, "a"))
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		runtime.KeepAlive(all)
		return int64(after.HeapAlloc) - int64(before.HeapAlloc)
	}
	alone, together := weigh(nil), weigh(&Shared{})
	t.Logf("20 indexes of 200 files: %d bytes, with shared entries %d", alone, together)
	if together*3 > alone {
		t.Errorf("20 indexes of 200 files take %d bytes with shared entries and %d without", together, alone)
	}
}

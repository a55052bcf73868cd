package discovery_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/local/discovery"
)

func TestFind_RunningServer(t *testing.T) {
	home(t)
	want := discovery.Server{URL: "http://127.0.0.1:1", Token: "t", PID: os.Getpid(), Data: t.TempDir()}
	if err := discovery.Write(want); err != nil {
		t.Fatal(err)
	}
	got, _, ok := discovery.Find()
	if !ok || got != want {
		t.Fatalf("Find() = %+v, %v; want %+v", got, ok, want)
	}
	info, err := os.Stat(discovery.FileIn(want.Data))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("announcement: %v, %v; want mode 0600", info, err)
	}
	if err := discovery.Remove(want); err != nil {
		t.Fatal(err)
	}
	if _, tried, ok := discovery.Find(); ok || len(tried) != 2 {
		t.Fatalf("after Remove: found %v, tried %v", ok, tried)
	}
}

func TestFind_SkipsDeadServer(t *testing.T) {
	home(t)
	if err := discovery.Write(discovery.Server{URL: "http://127.0.0.1:1", PID: 1<<31 - 1, Data: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	if _, tried, ok := discovery.Find(); ok || !strings.Contains(tried[0], "has ended") {
		t.Fatalf("a server whose process is gone: found %v, tried %q", ok, tried)
	}
}

func TestRemove_KeepsNextServer(t *testing.T) {
	home(t)
	data := t.TempDir()
	old := discovery.Server{PID: 1 << 30, Data: data}
	next := discovery.Server{PID: os.Getpid(), Data: data}
	if err := discovery.Write(next); err != nil {
		t.Fatal(err)
	}
	if err := discovery.Remove(old); err != nil {
		t.Fatal(err)
	}
	if _, _, ok := discovery.Find(); !ok {
		t.Fatal("the running server's announcement was removed by another's")
	}
}

func TestFind_SkipsWorldReadable(t *testing.T) {
	home(t)
	here := discovery.Server{Token: "t", PID: os.Getpid(), Data: t.TempDir()}
	if err := discovery.Write(here); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(pointers(t)[0], 0o644); err != nil {
		t.Fatal(err)
	}
	if got, tried, ok := discovery.Find(); ok || !strings.Contains(tried[0], "0644") {
		t.Fatalf("Find() = %+v, tried %q; want none, and the mode named", got, tried)
	}
}

// Two servers of one user: the CLI uses the one started last. When that one ends, cleanly or not,
// the CLI uses the other.
func TestRemove_KeepsOthers(t *testing.T) {
	home(t)
	first := discovery.Server{URL: "http://127.0.0.1:1", PID: os.Getpid(), Data: t.TempDir()}
	second := discovery.Server{URL: "http://127.0.0.1:2", PID: os.Getppid(), Data: t.TempDir()}
	killed := discovery.Server{URL: "http://127.0.0.1:3", PID: 1<<31 - 1, Data: t.TempDir()}
	for i, s := range []discovery.Server{first, second, killed} {
		before := pointers(t)
		if err := discovery.Write(s); err != nil {
			t.Fatal(err)
		}
		for _, name := range pointers(t) {
			if !slices.Contains(before, name) {
				at := time.Unix(int64(1_700_000_000+i), 0) // file systems do not distinguish times this close
				if err := os.Chtimes(name, at, at); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if got, tried, ok := discovery.Find(); !ok || got != second || len(tried) != 1 {
		t.Errorf("Find() = %+v, %v, tried %q; want %+v", got, ok, tried, second)
	}
	if err := discovery.Remove(second); err != nil {
		t.Fatal(err)
	}
	if got, _, ok := discovery.Find(); !ok || got != first {
		t.Errorf("after the end of the second: Find() = %+v, %v; want %+v", got, ok, first)
	}
	if err := discovery.Write(second); err != nil {
		t.Fatal(err)
	}
	if left := pointers(t); len(left) != 2 {
		t.Errorf("what the killed server left is still there: %q", left)
	}
}

func pointers(t *testing.T) []string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(os.Getenv("HOME"), ".anchor", "server-*.json"))
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func home(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("XDG_DATA_HOME", filepath.Join(dir, "data"))
}

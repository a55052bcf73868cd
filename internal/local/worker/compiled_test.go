package worker

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type modulesAnswer struct {
	Facts            any
	Word             string
	Written, Removed string
}

// modulesTree returns a copy of the bundle with CommonJS modules.
func modulesTree(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/modules")); err != nil {
		t.Fatal(err)
	}
	installed := filepath.Join(dir, "node_modules", "twin")
	if err := os.MkdirAll(installed, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(installed, "index.js"), []byte(`exports.kind = "commonjs";`), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func modulesSpec(dir, compiled string) Spec {
	return Spec{Dir: dir, Tree: dir, Compiled: compiled}
}

func compile(t testing.TB, p *Pool) error {
	t.Helper()
	return p.Compile(t.Context(), httptest.NewRequest(http.MethodGet, "/", http.NoBody))
}

// secondWord changes a module without changing its length, by which V8 knows it: a process that loads
// compiled code does not notice.
func secondWord(t testing.TB, dir string) {
	t.Helper()
	path := filepath.Join(dir, "word.cjs")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(text), "first", "other", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCompile_NextProcessesLoadTheCode(t *testing.T) {
	t.Parallel()
	dir, compiled := modulesTree(t), filepath.Join(t.TempDir(), "code")
	s := newSite(t, modulesSpec(dir, compiled))
	before := decode[modulesAnswer](t, s.get(t, "/").body)
	if before.Word != "first" {
		t.Fatalf("%+v", before)
	}
	logged := s.logs.count("the bundle is imported")
	for range 2 { // the second finds the code
		if err := compile(t, s.Pool); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.logs.count("the bundle is imported"); n != logged {
		t.Error("the output of the process that compiled is in the log")
	}
	if u := s.Usage(); u.Launched != 2 || s.Stats().Processes != 1 || s.Stats().Restarts != 0 {
		t.Errorf("%+v, %+v", u, s.Stats())
	}
	secondWord(t, dir)

	next := newSite(t, modulesSpec(dir, compiled))
	got := decode[modulesAnswer](t, next.get(t, "/").body)
	if got.Word != "first" {
		t.Error("a process that was to load compiled code has compiled the file")
	}
	if diff := cmp.Diff(before.Facts, got.Facts); diff != "" {
		t.Errorf("modules see something else when they were compiled before (-without +with):\n%s", diff)
	}
}

func TestCompile_DamagedCodeIsNoError(t *testing.T) {
	t.Parallel()
	dir, compiled := modulesTree(t), t.TempDir()
	s := newSite(t, modulesSpec(dir, compiled))
	if err := compile(t, s.Pool); err != nil {
		t.Fatal(err)
	}
	path := s.compiledPath()
	code, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	secondWord(t, dir)
	for name, damaged := range map[string][]byte{
		"empty": {}, "cut off": code[:len(code)/2], "a changed octet": slices.Concat(code[:len(code)-9], []byte{code[len(code)-9] ^ 1}, code[len(code)-8:]),
		"something else": []byte(strings.Repeat("noise", 100)),
	} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, damaged, 0o444); err != nil {
			t.Fatal(err)
		}
		next := newSite(t, modulesSpec(dir, compiled))
		if got := decode[modulesAnswer](t, next.get(t, "/").body); got.Word != "other" {
			t.Errorf("%s: the damaged code was used", name)
		}
	}
}

func TestCompile_OfAnotherNodeIsNotUsed(t *testing.T) {
	t.Parallel()
	dir, compiled := modulesTree(t), t.TempDir()
	s := newSite(t, modulesSpec(dir, compiled))
	s.node.Version = "99.0.0"
	if err := compile(t, s.Pool); err != nil {
		t.Fatal(err)
	}
	secondWord(t, dir)
	next := newSite(t, modulesSpec(dir, compiled))
	if got := decode[modulesAnswer](t, next.get(t, "/").body); got.Word != "other" {
		t.Errorf("%+v", got)
	}
}

func TestCompile_RefusesWhatIsNotWhole(t *testing.T) {
	t.Parallel()
	for _, forged := range []string{"exit", strings.Repeat("forged code ", 10)} {
		spec := modulesSpec(modulesTree(t), t.TempDir())
		spec.Env = map[string]string{"FORGE": forged}
		pool, _ := newTestPool(t, spec)
		if err := compile(t, pool); !errors.Is(err, errCompiledBroken) {
			t.Errorf("%.10s: %v", forged, err)
		}
		if left, err := os.ReadDir(spec.Compiled); err != nil || len(left) > 0 {
			t.Errorf("%.10s: left %v, %v", forged, left, err)
		}
	}
}

func TestCompile_EndsWithPool(t *testing.T) {
	t.Parallel()
	spec := Spec{Dir: "testdata/broken", Handler: "never.handler", Compiled: t.TempDir()}
	pool, _ := newTestPool(t, spec)
	ended := make(chan error, 1)
	go func() {
		ended <- pool.Compile(context.Background(), httptest.NewRequest(http.MethodGet, "/", http.NoBody))
	}()
	for pool.Usage().Launched == 0 {
		select {
		case err := <-ended:
			t.Fatal(err)
		default:
		}
	}
	pool.Close()
	if err := receive(t, ended, "the end of Compile"); err == nil {
		t.Error("no error")
	}
	if err := compile(t, pool); !errors.Is(err, ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func TestCompile_FullDiskIsAnError(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := newSite(t, modulesSpec(modulesTree(t), filepath.Join(file, "below")))
	if err := compile(t, s.Pool); err == nil || !strings.Contains(err.Error(), "store the compiled code") {
		t.Errorf("got %v", err)
	}
	if a := s.get(t, "/"); a.StatusCode != 200 {
		t.Errorf("the site answers %d", a.StatusCode)
	}
}

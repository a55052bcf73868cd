package nodejs_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/local/nodejs"
	"github.com/anchor-deploy/anchor/internal/local/worker"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

func rangeOf(t *testing.T, text string) nodejs.Range {
	t.Helper()
	r, err := nodejs.ParseRange(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestStore_Install_TakesTheNewestOfTheRange(t *testing.T) {
	for text, want := range map[string]string{
		"24": "24.10.1", "22.x": "22.3.0", ">=20 <23": "22.3.0", "^22.2 || ^24.9": "24.10.1", "22.2.0": "22.2.0", "": "26.1.0",
	} {
		r := newRegistry(t, "18.20.0", "20.1.0", "22.2.0", "22.3.0", "24.9.9", "24.10.1", "26.1.0", "27.0.0-rc.1")
		s := &nodejs.Store{Dir: t.TempDir(), Registry: r.Registry}
		node, err := s.Install(t.Context(), rangeOf(t, text))
		if err != nil || node.Version != want {
			t.Errorf("%q: %s, %v; want %s", text, node.Version, err, want)
			continue
		}
		if out, err := exec.CommandContext(t.Context(), node.Path, "--version").Output(); err != nil || strings.TrimSpace(string(out)) != "v"+want {
			t.Errorf("%q: the program prints %q, %v", text, out, err)
		}
		if found, ok := s.Find(rangeOf(t, text)); !ok || found != node {
			t.Errorf("%q: Find = %v, %v", text, found, ok)
		}
	}
}

func TestStore_Install_RefusesVersionsThatBundlesDoNotRunOn(t *testing.T) {
	s := &nodejs.Store{Dir: t.TempDir(), Registry: newRegistry(t, "18.20.0", "24.1.0").Registry}
	for _, text := range []string{"18", "<20", "23"} {
		if _, err := s.Install(t.Context(), rangeOf(t, text)); !errors.Is(err, nodejs.ErrNoRelease) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What arrives damaged or by the wrong hand never becomes a runtime.
func TestStore_Install_RejectsAnotherContent(t *testing.T) {
	for name, alter := range map[string]func([]byte) []byte{
		"cut short":       func(b []byte) []byte { return b[:len(b)/2] },
		"a changed octet": func(b []byte) []byte { c := append([]byte(nil), b...); c[len(c)-1] ^= 1; return c },
		"another program": func([]byte) []byte { return packProgram(t, "#!/bin/sh\necho v24.1.0; echo evil\n") },
		"nothing":         func([]byte) []byte { return nil },
	} {
		r := newRegistry(t, "24.1.0")
		r.alter = alter
		s := &nodejs.Store{Dir: t.TempDir(), Registry: r.Registry}
		if node, err := s.Install(t.Context(), rangeOf(t, "24")); err == nil {
			t.Errorf("%s: installed %v", name, node)
		}
		if left, err := os.ReadDir(s.Dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
		r.alter = nil
		if _, err := s.Install(t.Context(), rangeOf(t, "24")); err != nil {
			t.Errorf("%s: afterwards: %v", name, err)
		}
	}
}

func TestStore_Install_DownloadsOnceForConcurrentDeployments(t *testing.T) {
	r := newRegistry(t, "24.1.0")
	s := &nodejs.Store{Dir: t.TempDir(), Registry: r.Registry}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if _, err := s.Install(t.Context(), rangeOf(t, "24")); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := r.downloads.Load(); n != 1 {
		t.Errorf("%d downloads", n)
	}
}

// A server that was killed during a download leaves a folder, which nothing runs from.
func TestOpen_RemovesAnInterruptedInstallation(t *testing.T) {
	s := &nodejs.Store{Dir: t.TempDir(), Registry: newRegistry(t, "24.1.0").Registry}
	left := filepath.Join(s.Dir, ".download-1", "bin")
	if err := os.MkdirAll(left, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(left, "node"), []byte("half"), 0o755); err != nil {
		t.Fatal(err)
	}
	r, err := nodejs.Open(t.Context(), "24", s)
	if err != nil || r.Default().Version != "24.1.0" {
		t.Fatalf("%v, %v", r, err)
	}
	if _, err := os.Stat(filepath.Dir(left)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it is still there: %v", err)
	}
}

// The real registry: its package is the Node.js that its name says, and runs JavaScript here.
func TestStore_Install_FromNPM(t *testing.T) {
	s := &nodejs.Store{Dir: t.TempDir(), Registry: nodejs.NPM()}
	node, err := s.Install(context.WithoutCancel(t.Context()), rangeOf(t, nodejs.Preferred))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("it runs JavaScript", func(t *testing.T) {
		out, err := exec.CommandContext(t.Context(), node.Path, "-p", "process.versions.node+' '+process.versions.modules").CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != node.Version+" 137" {
			t.Errorf("%s: %q, %v", node.Version, out, err)
		}
	})
	t.Run("it loads modules that it has compiled before", func(t *testing.T) { loadsCompiled(t, node) })
	t.Run("it loads ES modules that it has compiled before", func(t *testing.T) { loadsCompiledESModules(t, node) })
}

// loadsCompiledESModules checks that Node.js' own compile cache is used behind walls, where a process has a folder for temporary files
// that no other one can write to, and that nothing of it is left there.
func loadsCompiledESModules(t *testing.T, node worker.Node) {
	spec := worker.Spec{Dir: t.TempDir(), Compiled: filepath.Join(t.TempDir(), "code"), Handler: "index.handler", Max: 1}
	level := jail.Namespaced
	if os.Geteuid() == 0 {
		level, spec.User = jail.Separated, &jail.User{UID: 65534, GID: 65534}
	}
	var err error
	if spec.Walls, err = jail.Try(t.Context(), level, node.Path, spec.User); err != nil {
		t.Fatal(err)
	}
	spec.Tree = spec.Dir
	const bundle = `import fs from "node:fs";
export const handler = async () => ({ statusCode: 200, headers: {}, body: fs.readdirSync("/tmp").filter((name) => name.startsWith("compile-cache-")).join() });`
	if err := errors.Join(os.Chmod(spec.Dir, 0o755), os.WriteFile(filepath.Join(spec.Dir, "index.mjs"), []byte(bundle), 0o644)); err != nil {
		t.Fatal(err)
	}
	spec.Env = map[string]string{"NODE_DEBUG_NATIVE": "COMPILE_CACHE"}
	answerOnce(t, node, spec, true)
	left, logged := answerOnce(t, node, spec, false)
	if !regexp.MustCompile(`ESM file://\S+/index\.mjs was accepted`).MatchString(logged) {
		t.Errorf("the module was compiled again:\n%s", logged)
	}
	if left != "" {
		t.Errorf("/tmp has %s", left)
	}
}

// loadsCompiled checks that modules see the same from compiled code, and that those with import() are among them, which
// an older Node.js cannot load.
func loadsCompiled(t *testing.T, node worker.Node) {
	dir, compiled := t.TempDir(), filepath.Join(t.TempDir(), "code")
	twin := filepath.Join(dir, "node_modules", "twin")
	if err := errors.Join(os.CopyFS(dir, os.DirFS("../worker/testdata/modules")), os.MkdirAll(twin, 0o755),
		os.WriteFile(filepath.Join(twin, "index.js"), []byte(`exports.kind = "commonjs";`), 0o644)); err != nil {
		t.Fatal(err)
	}
	spec := worker.Spec{Dir: dir, Tree: dir, Handler: "index.handler", Compiled: compiled, Max: 1}
	before, _ := answerOnce(t, node, spec, true)
	for _, name := range []string{"word.cjs", "dynamic.cjs"} { // V8 knows a source by its length
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), `"first"`, `"other"`, 1)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(changed), 0o644); err != nil || changed == string(text) {
			t.Fatalf("%s is not changed: %v", name, err)
		}
	}
	got, logged := answerOnce(t, node, spec, false)
	if got != before {
		t.Errorf("from compiled code %s\nbefore             %s", got, before)
	}
	if strings.Contains(logged, "Warning") {
		t.Errorf("the app's log has %s", logged)
	}
}

// answerOnce returns the answer of a new process of the function, and what it has logged. compile also stores the compiled code.
func answerOnce(t *testing.T, node worker.Node, spec worker.Spec, compile bool) (body, logged string) {
	t.Helper()
	var log strings.Builder // written by one goroutine, which ends with the pool
	spec.Tmp, spec.Log = t.TempDir(), func(line worker.Line) { log.WriteString(line.Text + "\n") }
	if err := os.Chmod(spec.Tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	pool, err := worker.NewPool(node, spec)
	if err != nil {
		t.Fatal(err)
	}
	r, w := httptest.NewRequest(http.MethodGet, "http://app.test/", http.NoBody), httptest.NewRecorder()
	pool.ServeHTTP(w, r)
	if compile {
		err = pool.Compile(t.Context(), r)
	}
	pool.Close()
	if err != nil || w.Code != http.StatusOK {
		t.Fatalf("%v, %d %s\n%s", err, w.Code, w.Body, log.String())
	}
	return w.Body.String(), log.String()
}

package cli

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

// writeBuild writes the smallest build that can be deployed into app/.open-next.
func writeBuild(t *testing.T, app string) string {
	t.Helper()
	tree := filepath.Join(app, build.TreeName)
	for name, content := range map[string]string{
		"assets/BUILD_ID":                                            "b1",
		"assets/logo.txt":                                            "logo",
		"server-functions/default/index.mjs":                         "export const handler = () => ({})",
		"server-functions/default/.next/BUILD_ID":                    "b1",
		"server-functions/default/.next/required-server-files.json":  `{"config":{}}`,
		"server-functions/default/.next/prerender-manifest.json":     `{"preview":{"previewModeId":"p"}}`,
		"server-functions/default/node_modules/.pnpm/a@1/a/index.js": "a",
		"open-next.output.json": `{"edgeFunctions":{},"origins":{"s3":{"type":"s3"},"default":{"type":"function","handler":"index.handler",
			"bundle":".open-next/server-functions/default","wrapper":"aws-lambda","converter":"aws-apigw-v2"}},
			"behaviors":[{"pattern":"*","origin":"default"}]}`,
	} {
		name = filepath.Join(tree, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return tree
}

func link(t *testing.T, target, name string) {
	t.Helper()
	if err := os.RemoveAll(name); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(target, name); err != nil {
		t.Fatal(err)
	}
}

// deployRefused deploys app, and fails unless it is refused before the server hears of it.
func deployRefused(t *testing.T, args ...string) string {
	t.Helper()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusTeapot)
	}))
	defer server.Close()
	t.Setenv("ANCHOR_TOKEN", "anchor_x")
	t.Setenv("ANCHOR_URL", server.URL)
	var out bytes.Buffer
	code := run(t.Context(), append([]string{"deploy"}, args...), IOStreams{Out: &out, Err: &out, Width: 80}, Parts{})
	if code != exitUsage || asked.Load() != 0 {
		t.Errorf("ends with %d after %d requests: %s", code, asked.Load(), &out)
	}
	if strings.ContainsRune(out.String(), 0x1b) {
		t.Errorf("the terminal is told %q", &out)
	}
	return out.String()
}

func TestDeploy_RefusesBuildOutsideFolder(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		says    string
		prepare func(t *testing.T, tree string)
	}{
		"a public file": {says: "assets/leak", prepare: func(t *testing.T, tree string) { link(t, outside, filepath.Join(tree, "assets/leak")) }},
		"a cache entry": {says: "cache", prepare: func(t *testing.T, tree string) { link(t, filepath.Dir(outside), filepath.Join(tree, "cache")) }},
		"a module": {says: "node_modules/a", prepare: func(t *testing.T, tree string) {
			link(t, "../../../../../secret", filepath.Join(tree, "server-functions/default/node_modules/a"))
		}},
		"the output file": {says: "open-next.output.json", prepare: func(t *testing.T, tree string) { link(t, outside, filepath.Join(tree, "open-next.output.json")) }},
		"the build itself": {says: build.TreeName, prepare: func(t *testing.T, tree string) {
			elsewhere := filepath.Join(filepath.Dir(tree), "elsewhere")
			if err := os.Rename(tree, elsewhere); err != nil {
				t.Fatal(err)
			}
			link(t, elsewhere, tree)
		}},
		"a bundle path": {says: `at ".."`, prepare: func(t *testing.T, tree string) {
			name := filepath.Join(tree, "open-next.output.json")
			text, err := os.ReadFile(name)
			if err == nil {
				err = os.WriteFile(name, bytes.Replace(text, []byte(".open-next/server-functions/default"), []byte(".open-next/../.."), 1), 0o644)
			}
			if err != nil {
				t.Fatal(err)
			}
		}},
		"a link to nothing": {says: "assets/gone", prepare: func(t *testing.T, tree string) { link(t, "none", filepath.Join(tree, "assets/gone")) }},
		"a pipe": {says: "assets/pipe", prepare: func(t *testing.T, tree string) {
			if err := syscall.Mkfifo(filepath.Join(tree, "assets/pipe"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		"a name that a terminal obeys": {says: `\x1b[2J`, prepare: func(t *testing.T, tree string) {
			if err := os.WriteFile(filepath.Join(tree, "assets/\x1b[2J"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			app := t.TempDir()
			test.prepare(t, writeBuild(t, app))
			if out := deployRefused(t, "--prebuilt", "--project", "shop", app); !strings.Contains(out, test.says) {
				t.Errorf("does not name %s: %s", test.says, out)
			}
			if _, err := os.Lstat(filepath.Join(app, build.StateDir)); err == nil {
				t.Error("the app's folder was written to")
			}
		})
	}
}

// Links within a function's bundle are those of pnpm; a link elsewhere is deployed as its
// target.
func TestScan_BuildWithLinks(t *testing.T) {
	tree := writeBuild(t, t.TempDir())
	link(t, ".pnpm/a@1/a", filepath.Join(tree, "server-functions/default/node_modules/a"))
	link(t, "logo.txt", filepath.Join(tree, "assets/same.txt"))
	link(t, filepath.Join(tree, "assets/logo.txt"), filepath.Join(tree, "assets/absolute.txt"))
	a, err := build.Scan(t.Context(), tree)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"server-functions/default/node_modules/a": ".pnpm/a@1/a", "assets/same.txt": "", "assets/absolute.txt": ""}
	for _, f := range a.Manifest.Files {
		if target, ok := want[f.Path]; ok && f.Link == target {
			delete(want, f.Path)
		}
	}
	if len(want) > 0 {
		t.Errorf("not listed as they should be: %v in %+v", want, a.Manifest)
	}
}

func TestDeploy_RefusesPublicFilesBeforeBuild(t *testing.T) {
	for name, test := range map[string]struct {
		says    string
		prepare func(public string) error
	}{
		"a link":           {"public/leak", func(public string) error { return os.Symlink("/etc/hosts", filepath.Join(public, "leak")) }},
		"a device's name":  {`"assets/CON"`, func(public string) error { return os.WriteFile(filepath.Join(public, "CON"), nil, 0o644) }},
		"a newline":        {`a\nb`, func(public string) error { return os.WriteFile(filepath.Join(public, "a\nb"), nil, 0o644) }},
		"a pipe":           {"public/pipe", func(public string) error { return syscall.Mkfifo(filepath.Join(public, "pipe"), 0o644) }},
		"the whole folder": {"public", func(public string) error { return errors.Join(os.Remove(public), os.Symlink("/etc", public)) }},
	} {
		t.Run(name, func(t *testing.T) {
			app := t.TempDir()
			public := filepath.Join(app, "public")
			err := errors.Join(os.Mkdir(public, 0o755),
				os.WriteFile(filepath.Join(app, "package.json"), []byte(`{"name":"shop","dependencies":{"next":"15.0.0"}}`), 0o644),
				test.prepare(public))
			if err != nil {
				t.Fatal(err)
			}
			if out := deployRefused(t, app); !strings.Contains(out, test.says) {
				t.Errorf("does not name %s: %s", test.says, out)
			}
		})
	}
}

// Notes and package.json of a repository may be something other than files, or endless.
func TestProject_ReadsRepositoryFilesWithinBounds(t *testing.T) {
	for name, put := range map[string]func(string) error{
		"a pipe":       func(name string) error { return syscall.Mkfifo(name, 0o644) },
		"a device":     func(name string) error { return os.Symlink("/dev/zero", name) },
		"a huge file":  func(name string) error { return errors.Join(os.WriteFile(name, nil, 0o644), os.Truncate(name, 1<<40)) },
		"a file above": func(name string) error { return os.Symlink("/etc/hostname", name) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := errors.Join(put(filepath.Join(dir, "package.json")), os.Mkdir(filepath.Join(dir, build.StateDir), 0o755)); err != nil {
				t.Fatal(err)
			}
			if got := packageName(dir); got != "" {
				t.Errorf("package.json names %q", got)
			}
			notes := filepath.Join(dir, build.StateDir, "project.json")
			if err := put(notes); err != nil {
				t.Fatal(err)
			}
			if slug, err := recallProject(dir); err == nil || !strings.Contains(err.Error(), "project.json") {
				t.Errorf("remembered %q, %v", slug, err)
			}
		})
	}
}

// A repository may bring along links where Anchor keeps its notes.
func TestProject_FolderLinkIsNotFollowed(t *testing.T) {
	for _, name := range []string{build.StateDir, build.StateDir + "/build.log", build.StateDir + "/.gitignore"} {
		t.Run(name, func(t *testing.T) {
			app, outside := t.TempDir(), t.TempDir()
			precious := filepath.Join(outside, "precious")
			err := errors.Join(os.WriteFile(precious, []byte("precious"), 0o644), os.MkdirAll(filepath.Dir(filepath.Join(app, name)), 0o755))
			if err != nil {
				t.Fatal(err)
			}
			target := precious
			if name == build.StateDir {
				target = outside
			}
			link(t, target, filepath.Join(app, name))
			if log, err := openBuildLog(app, func(string) {}); err == nil {
				log.file.Close()
				t.Error("it was followed")
			}
			left, err := os.ReadDir(outside)
			content, reading := os.ReadFile(precious)
			if err := errors.Join(err, reading); err != nil || len(left) != 1 || string(content) != "precious" {
				t.Errorf("outside there are %v, %q, %v", left, content, err)
			}
		})
	}
}

func TestError_CannotControlTerminal(t *testing.T) {
	const text = "a\tb\nc\x1b[31m\u202ed\u009be\r"
	if got, want := escapeControls(text), "a\tb\nc\\x1b[31m\\u202ed\\u009be\\r"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

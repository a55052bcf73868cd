package e2e

import (
	"encoding/binary"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// broken returns a copy of the storefront's build that edit has broken; edit gets the .open-next
// folder. Files are links until rewriteFile replaces them.
func broken(t *testing.T, edit func(t *testing.T, tree string)) string {
	t.Helper()
	dir := t.TempDir()
	tree := filepath.Join(dir, ".open-next")
	if err := linkTree(filepath.Join(storefront, ".open-next"), tree); err != nil {
		t.Fatal(err)
	}
	edit(t, tree)
	return dir
}

func linkTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		name := filepath.Join(to, rel)
		switch {
		case e.IsDir():
			return os.MkdirAll(name, 0o755)
		case e.Type()&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			if err != nil {
				return err
			}
			return os.Symlink(target, name)
		}
		return link(path, name)
	})
}

// rewriteFile replaces a file with a changed copy. The build that it is linked to does not
// change.
func rewriteFile(t *testing.T, name string, change func([]byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, change(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// serverModule makes text the server function's module.
func serverModule(text string) func(*testing.T, string) {
	return func(t *testing.T, tree string) {
		rewriteFile(t, filepath.Join(tree, "server-functions", "default", "index.mjs"), func([]byte) []byte { return []byte(text) })
	}
}

// output changes the description of the build.
func output(change func(o map[string]any)) func(*testing.T, string) {
	return func(t *testing.T, tree string) {
		rewriteFile(t, filepath.Join(tree, "open-next.output.json"), func(text []byte) []byte {
			var o map[string]any
			if err := json.Unmarshal(text, &o); err != nil {
				t.Fatal(err)
			}
			change(o)
			text, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			return text
		})
	}
}

// foreignSharp changes sharp's binary to one for another processor (e_machine of ELF).
func foreignSharp(t *testing.T, tree string) {
	found := 0
	err := filepath.WalkDir(filepath.Join(tree, "image-optimization-function"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".node") {
			return err
		}
		found++
		rewriteFile(t, path, func(b []byte) []byte {
			const x86, arm = 62, 183
			other := map[uint16]uint16{x86: arm, arm: x86}[binary.LittleEndian.Uint16(b[18:])]
			binary.LittleEndian.PutUint16(b[18:], other)
			return b
		})
		return nil
	})
	if err != nil || found == 0 {
		t.Fatalf("%d binaries of sharp in the build: %v", found, err)
	}
}

// record is a deployment as `anchor deployments --json` lists it.
type record struct {
	DeploymentID, Status, ErrorStep, ErrorMessage string
	Live                                          bool
}

func (a *anchor) records(t *testing.T, project string) []record {
	t.Helper()
	out, errs, code := a.run("deployments", "--project", project, "--json", "-n", "100")
	var list struct{ Items []record }
	if err := json.Unmarshal([]byte(out), &list); err != nil || code != 0 {
		t.Fatalf("anchor deployments ended with %d: %v\n%s%s", code, err, out, errs)
	}
	return list.Items
}

var ends = []string{"deployed", "build_failed", "deploy_failed", "canceled", "superseded"}

// unharmed asserts that the project's live deployment is still live and serves, that every
// deployment has ended, and that failed ones use no disk.
func (a *anchor) unharmed(t *testing.T, project, live string) {
	t.Helper()
	a.site(t, project).get("/dynamic").want(t, 200).has(t, Label)
	for _, r := range a.records(t, project) {
		if !slices.Contains(ends, r.Status) {
			t.Errorf("deployment %s is %s", r.DeploymentID, r.Status)
		}
		if r.Live != (r.DeploymentID == live) {
			t.Errorf("deployment %s: live is %v", r.DeploymentID, r.Live)
		}
		if r.Status == "deployed" || r.Status == "superseded" { // both can be promoted
			continue
		}
		for _, kind := range []string{"trees", "manifests"} {
			eventually(t, "the disk of "+r.DeploymentID+", which is "+r.Status+", is reclaimed", func() bool {
				left, err := filepath.Glob(filepath.Join(a.data, "artifacts", kind, r.DeploymentID+"*"))
				return err == nil && len(left) == 0
			})
		}
	}
}

// says fails unless the text has every pattern.
func says(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			t.Errorf("nothing like %q in:\n%s", p, text)
		}
	}
}

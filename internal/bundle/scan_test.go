package bundle_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/bundle"
)

func TestScanKeepsLinksInsideAndFollowsThoseOutside(t *testing.T) {
	outside := writeTree(t, map[string]string{"lib/index.js": "lib", "lib/deep/x.js": "x", "one.js": "one"})
	must(t, os.Symlink("index.js", filepath.Join(outside, "lib/main.js")))
	dir := writeTree(t, map[string]string{"a/real.js": "real"})
	for name, target := range map[string]string{
		"a/link.js":  "real.js",
		"b":          "a",
		"absolute":   filepath.Join(dir, "a/real.js"),
		"a/chain.js": "../b/link.js",
		"gone":       "a/no-such-file",
		"lib":        filepath.Join(outside, "lib"),
		"a/one.js":   filepath.Join(outside, "one.js"),
	} {
		must(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	m, err := bundle.Scan(t.Context(), dir, nil)
	must(t, err)
	must(t, m.Check(bundle.DefaultLimits))
	got := map[string]string{}
	for _, f := range m.Files {
		got[f.Path] = "-> " + f.Link
		if f.Link == "" {
			got[f.Path] = string(f.Digest)
		}
	}
	digest := func(s string) string { return string(bundle.DigestOf([]byte(s))) }
	want := map[string]string{
		"a/real.js":     digest("real"),
		"a/link.js":     "-> real.js",
		"b":             "-> a",
		"absolute":      "-> a/real.js",
		"a/chain.js":    "-> real.js",
		"gone":          "-> a/no-such-file",
		"lib/index.js":  digest("lib"),
		"lib/main.js":   digest("lib"),
		"lib/deep/x.js": digest("x"),
		"a/one.js":      digest("one"),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the manifest differs (-want +got):\n%s", diff)
	}
}

func TestScanLeavesOutWhatIsNotKept(t *testing.T) {
	dir := writeTree(t, map[string]string{"a/x": "1", "b/x": "2", "c": "3"})
	m, err := bundle.Scan(t.Context(), dir, func(p string) bool { return p != "b" && p != "c" })
	must(t, err)
	if len(m.Files) != 1 || m.Files[0].Path != "a/x" {
		t.Errorf("lists %+v, want a/x only", m.Files)
	}
}

func TestScanRefuses(t *testing.T) {
	for code, prepare := range map[string]func(t *testing.T, dir string){
		"special_file": func(t *testing.T, dir string) { must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644)) },
		"broken_link":  func(t *testing.T, dir string) { must(t, os.Symlink("../../no/such", filepath.Join(dir, "x"))) },
		"link_loop":    func(t *testing.T, dir string) { must(t, os.Symlink("..", filepath.Join(dir, "up"))) },
		"unreadable":   func(t *testing.T, dir string) { must(t, os.Remove(filepath.Join(dir, "a"))); must(t, os.Remove(dir)) },
	} {
		t.Run(code, func(t *testing.T) {
			dir := writeTree(t, map[string]string{"a": "1"})
			prepare(t, dir)
			_, err := bundle.Scan(t.Context(), dir, nil)
			wantCode(t, err, code)
		})
	}
}

func TestTheDigestOfAManifestDoesNotDependOnOrder(t *testing.T) {
	m := manifestOf(map[string]string{"a": "1", "b": "2"})
	turned := bundle.Manifest{Files: []bundle.File{m.Files[1], m.Files[0]}}
	if m.Digest() != turned.Digest() {
		t.Error("the order of the files changes the digest")
	}
	other := manifestOf(map[string]string{"a": "1", "b": "3"})
	if m.Digest() == other.Digest() {
		t.Error("another content does not change the digest")
	}
}

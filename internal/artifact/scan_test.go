package artifact_test

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/artifact"
)

func TestScan_KeepsLinksInside(t *testing.T) {
	dir := writeTree(t, map[string]string{"a/real.js": "real"})
	for name, target := range map[string]string{
		"a/link.js":  "real.js",
		"b":          "a",
		"absolute":   filepath.Join(dir, "a/real.js"),
		"a/chain.js": "../b/link.js",
		"gone":       "a/no-such-file",
		"through":    "a/real.js/x", // a file is not a folder
	} {
		must(t, os.Symlink(target, filepath.Join(dir, name)))
	}
	m, err := artifact.Scan(t.Context(), dir, nil)
	must(t, err)
	must(t, m.Check(artifact.DefaultLimits))
	got := map[string]string{}
	for _, f := range m.Files {
		got[f.Path] = "-> " + f.Link
		if f.Link == "" {
			got[f.Path] = string(f.Digest)
		}
	}
	want := map[string]string{
		"a/real.js":  string(artifact.DigestOf([]byte("real"))),
		"a/link.js":  "-> real.js",
		"b":          "-> a",
		"absolute":   "-> a/real.js",
		"a/chain.js": "-> real.js",
		"gone":       "-> a/no-such-file",
		"through":    "-> a/real.js/x",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the manifest differs (-want +got):\n%s", diff)
	}
}

// A link that leads out in any way is refused, and the error names it.
func TestScan_RefusesLinksOut(t *testing.T) {
	outside := writeTree(t, map[string]string{"secret": "secret", "lib/index.js": "lib"})
	for name, links := range map[string][][2]string{
		"to a file":               {{"a/leak", filepath.Join(outside, "secret")}},
		"to a folder":             {{"a/leak", filepath.Join(outside, "lib")}},
		"relative":                {{"a/leak", "../../" + filepath.Base(outside) + "/secret"}},
		"to the folder above":     {{"a/leak", "../.."}},
		"by another link":         {{"a/leak", "../up"}, {"up", outside}},
		"through a linked folder": {{"a/leak", "../up/secret"}, {"up", outside}},
		"to a device":             {{"a/leak", "/dev/zero"}},
		"to a process":            {{"a/leak", "/proc/self/environ"}},
		"to nothing":              {{"a/leak", filepath.Join(outside, "none")}},
		"to nothing, relative":    {{"a/leak", "../../none"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeTree(t, map[string]string{"a/b": "1"})
			must(t, os.Rename(dir, filepath.Join(filepath.Dir(outside), "tree")))
			dir = filepath.Join(filepath.Dir(outside), "tree")
			defer os.RemoveAll(dir)
			for _, l := range links {
				must(t, os.Symlink(l[1], filepath.Join(dir, l[0])))
			}
			_, err := artifact.Scan(t.Context(), dir, nil)
			wantCode(t, err, "link_escapes")
			if !slices.ContainsFunc(links, func(l [2]string) bool { return strings.Contains(err.Error(), filepath.Join(dir, l[0])) }) {
				t.Errorf("%v does not name the link", err)
			}
		})
	}
}

// What takes the place of a file or folder while the tree is read is not followed.
func TestScan_ReadsNothingOutside(t *testing.T) {
	outside := writeTree(t, map[string]string{"secret": "secret"})
	for name, test := range map[string]struct {
		code, name string
		put        func(name string) error
	}{
		"a link in place of a file":   {"unreadable", "a", func(name string) error { return os.Symlink(filepath.Join(outside, "secret"), name) }},
		"a pipe in place of a file":   {"special_file", "a", func(name string) error { return syscall.Mkfifo(name, 0o644) }},
		"a link in place of a folder": {"unreadable", "b", func(name string) error { return os.Symlink(outside, name) }},
		"a pipe in place of a folder": {"unreadable", "b", func(name string) error { return syscall.Mkfifo(name, 0o644) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeTree(t, map[string]string{"a": "1", "b/x": "2"})
			// keep gets "b" once both are listed and neither is read.
			keep := func(p string) bool {
				if p == "b" {
					must(t, os.RemoveAll(filepath.Join(dir, test.name)))
					must(t, test.put(filepath.Join(dir, test.name)))
				}
				return true
			}
			rules := &artifact.Rules{Limits: artifact.DefaultLimits, Keep: keep}
			_, err := artifact.Scan(t.Context(), dir, rules)
			wantCode(t, err, test.code)
		})
	}
}

func TestScan_OmitsExcludedFiles(t *testing.T) {
	dir := writeTree(t, map[string]string{"a/x": "1", "b/x": "2", "c": "3"})
	keep := func(p string) bool { return p != "b" && p != "c" }
	m, err := artifact.Scan(t.Context(), dir, &artifact.Rules{Limits: artifact.DefaultLimits, Keep: keep})
	must(t, err)
	if len(m.Files) != 1 || m.Files[0].Path != "a/x" {
		t.Errorf("lists %+v, want a/x only", m.Files)
	}
}

func TestScan_Refuses(t *testing.T) {
	limits := artifact.Limits{Files: 10, FileSize: 1 << 20, Total: 2 << 20}
	sparse := func(t *testing.T, name string, size int64) {
		must(t, os.WriteFile(name, nil, 0o644))
		must(t, os.Truncate(name, size))
	}
	for name, test := range map[string]struct {
		code    string
		prepare func(t *testing.T, dir string)
	}{
		"pipe": {"special_file", func(t *testing.T, dir string) { must(t, syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o644)) }},
		"socket": {"special_file", func(t *testing.T, dir string) {
			fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
			must(t, err)
			t.Cleanup(func() { syscall.Close(fd) })
			t.Chdir(dir) // a socket's path has 108 bytes
			must(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: "socket"}))
		}},
		"link to itself": {"link_loop", func(t *testing.T, dir string) { must(t, os.Symlink("x", filepath.Join(dir, "x"))) }},
		"links in a circle": {"link_loop", func(t *testing.T, dir string) {
			must(t, os.Symlink("y", filepath.Join(dir, "x")))
			must(t, os.Symlink("x", filepath.Join(dir, "y")))
		}},
		"no such folder":     {"unreadable", func(t *testing.T, dir string) { must(t, os.RemoveAll(dir)) }},
		"a newline":          {"control_in_path", func(t *testing.T, dir string) { must(t, os.WriteFile(filepath.Join(dir, "a\nb"), nil, 0o644)) }},
		"an escape sequence": {"control_in_path", func(t *testing.T, dir string) { must(t, os.Mkdir(filepath.Join(dir, "\x1b[2J"), 0o755)) }},
		"a huge file":        {"file_too_large", func(t *testing.T, dir string) { sparse(t, filepath.Join(dir, "huge"), 1<<40) }},
		"too much": {"artifact_too_large", func(t *testing.T, dir string) {
			for _, f := range []string{"x", "y", "z"} {
				sparse(t, filepath.Join(dir, f), 1<<20)
			}
		}},
		"too many files": {"too_many_files", func(t *testing.T, dir string) {
			for i := range 11 {
				must(t, os.WriteFile(filepath.Join(dir, strconv.Itoa(i)), nil, 0o644))
			}
		}},
		"too many folders": {"too_many_files", func(t *testing.T, dir string) {
			for i := range 50 {
				must(t, os.Mkdir(filepath.Join(dir, strconv.Itoa(i)), 0o755))
			}
		}},
		"too deep": {"path_too_long", func(t *testing.T, dir string) {
			must(t, os.MkdirAll(filepath.Join(dir, strings.Repeat("deep/", 230)), 0o755))
		}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeTree(t, map[string]string{"a": "1"})
			test.prepare(t, dir)
			rules := artifact.Rules{Limits: limits}
			if test.code == "path_too_long" {
				rules.Files = 1000
			}
			_, err := artifact.Scan(t.Context(), dir, &rules)
			wantCode(t, err, test.code)
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q holds control characters", err)
			}
		})
	}
}

func TestManifest_DigestIgnoresOrder(t *testing.T) {
	m := manifestOf(map[string]string{"a": "1", "b": "2"})
	turned := artifact.Manifest{Files: []artifact.File{m.Files[1], m.Files[0]}}
	if m.Digest() != turned.Digest() {
		t.Error("the order of the files changes the digest")
	}
	other := manifestOf(map[string]string{"a": "1", "b": "3"})
	if m.Digest() == other.Digest() {
		t.Error("another content does not change the digest")
	}
}

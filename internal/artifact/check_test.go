package artifact_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/anchor-deploy/anchor/internal/artifact"
)

func TestManifest_CheckRefusesHostile(t *testing.T) {
	a := artifact.DigestOf([]byte("a"))
	file := func(p string) artifact.File { return artifact.File{Path: p, Size: 1, Digest: a} }
	link := func(p, target string) artifact.File { return artifact.File{Path: p, Link: target} }
	store := openStore(t)
	store.Limits = artifact.Limits{Files: 4, FileSize: 100, Total: 200}
	for name, test := range map[string]struct {
		code  string
		files []artifact.File
	}{
		"nothing":                       {"no_files", nil},
		"too many":                      {"too_many_files", []artifact.File{file("1"), file("2"), file("3"), file("4"), file("5")}},
		"one too large":                 {"file_too_large", []artifact.File{{Path: "a", Size: 101, Digest: a}}},
		"too large together":            {"artifact_too_large", []artifact.File{{Path: "a", Size: 90, Digest: a}, {Path: "b", Size: 90, Digest: a}, {Path: "c", Size: 90, Digest: a}}},
		"sizes that overflow":           {"file_too_large", []artifact.File{{Path: "a", Size: 1<<63 - 1, Digest: a}, {Path: "b", Size: 1<<63 - 1, Digest: a}}},
		"negative size":                 {"bad_size", []artifact.File{{Path: "a", Size: -1, Digest: a}}},
		"one digest, two sizes":         {"size_differs", []artifact.File{{Path: "a", Size: 1, Digest: a}, {Path: "b", Size: 2, Digest: a}}},
		"no path":                       {"empty_path", []artifact.File{file("")}},
		"absolute":                      {"absolute_path", []artifact.File{file("/etc/passwd")}},
		"drive":                         {"absolute_path", []artifact.File{file("C:/Windows/x")}},
		"parent":                        {"path_escapes", []artifact.File{file("../x")}},
		"parent inside":                 {"path_escapes", []artifact.File{file("a/../../x")}},
		"parent that stays":             {"path_escapes", []artifact.File{file("a/../x")}},
		"dot":                           {"unclean_path", []artifact.File{file("./a")}},
		"only a dot":                    {"unclean_path", []artifact.File{file(".")}},
		"two slashes":                   {"unclean_path", []artifact.File{file("a//b")}},
		"slash at the end":              {"unclean_path", []artifact.File{file("a/")}},
		"backslash":                     {"backslash_in_path", []artifact.File{file(`a\..\..\x`)}},
		"NUL":                           {"control_in_path", []artifact.File{file("a\x00b")}},
		"newline":                       {"control_in_path", []artifact.File{file("a\nb")}},
		"escape sequence":               {"control_in_path", []artifact.File{file("a\x1b[2Jb")}},
		"not UTF-8":                     {"bad_path_encoding", []artifact.File{file("a\xffb")}},
		"device":                        {"reserved_name", []artifact.File{file("a/CON")}},
		"device with extension":         {"reserved_name", []artifact.File{file("nul.tar.gz")}},
		"device as folder":              {"reserved_name", []artifact.File{file("Com1/x")}},
		"long path":                     {"path_too_long", []artifact.File{file(strings.Repeat("a/", 512) + "b")}},
		"long name":                     {"name_too_long", []artifact.File{file(strings.Repeat("a", 256))}},
		"twice":                         {"duplicate_path", []artifact.File{file("a"), file("a")}},
		"file and folder":               {"file_is_folder", []artifact.File{file("a"), file("a/b")}},
		"file and folder, other order":  {"file_is_folder", []artifact.File{file("a/b/c"), file("a")}},
		"link and folder":               {"file_is_folder", []artifact.File{link("a", "x"), file("a/b")}},
		"no digest":                     {"bad_digest", []artifact.File{{Path: "a", Size: 1}}},
		"digest with a path":            {"bad_digest", []artifact.File{{Path: "a", Size: 1, Digest: artifact.Digest("../" + strings.Repeat("a", 61))}}},
		"link with a content":           {"bad_link", []artifact.File{{Path: "a", Link: "b", Size: 1, Digest: a}}},
		"link with NUL":                 {"bad_link", []artifact.File{link("a", "b\x00")}},
		"link with backslash":           {"bad_link", []artifact.File{link("a", `..\x`)}},
		"absolute link":                 {"link_escapes", []artifact.File{link("a", "/etc/passwd")}},
		"link to the drive":             {"link_escapes", []artifact.File{link("a", "c:/x")}},
		"link out":                      {"link_escapes", []artifact.File{link("a", "..")}},
		"link out from a folder":        {"link_escapes", []artifact.File{link("d/a", "../../x")}},
		"link out and in again":         {"link_escapes", []artifact.File{link("a", "../tree/b")}},
		"link out by another link":      {"link_escapes", []artifact.File{link("a", "d/up/../x"), link("d/up", "..")}},
		"link out by what is not there": {"link_escapes", []artifact.File{link("a", "no/../../x")}},
		"links in a circle":             {"link_loop", []artifact.File{link("a", "b"), link("b", "a")}},
		"link to itself":                {"link_loop", []artifact.File{link("a", "a")}},
	} {
		t.Run(name, func(t *testing.T) {
			m, id := artifact.Manifest{Files: test.files}, newID()
			wantCode(t, m.Check(store.Limits), test.code)
			wantCode(t, store.SaveManifest(t.Context(), id, m), test.code)
			_, err := store.Manifest(t.Context(), id)
			wantCode(t, err, "no_manifest")
		})
	}
}

func TestManifest_CheckAcceptsOrdinaryPaths(t *testing.T) {
	a := artifact.DigestOf([]byte("a"))
	var m artifact.Manifest
	for _, p := range []string{
		"index.mjs", ".next/BUILD_ID", "app/[[...slug]]/page.js", "app/(group)/@modal/(.)photo/page.js",
		"cache/b/route-cache/APP_PAGE/0f/$/isr.cache", "straße", "strasse", "日本語/ページ.html", "a b/c~d+e,f", "..a/b..", "console.js", "com10",
		"tag/Development", "tag/development", "k", "\u212a", "caf\u00e9", "cafe\u0301", "A", "a/b",
		"node_modules/@img/sharp-linux-x64/lib/sharp-linux-x64.node", strings.Repeat("n", 255),
	} {
		m.Files = append(m.Files, artifact.File{Path: p, Size: 1, Digest: a})
	}
	m.Files = append(m.Files,
		artifact.File{Path: "node_modules/next", Link: ".pnpm/next@15/node_modules/next"},
		artifact.File{Path: "node_modules/.bin/x", Link: "../x/bin/x.js"},
		artifact.File{Path: "node_modules/gone", Link: "not/there"})
	must(t, m.Check(artifact.DefaultLimits))
}

// What Check accepts, plain calls of the operating system must lay out inside the folder.
func TestManifest_CheckedPathsStayInFolder(t *testing.T) {
	name := rapid.SampledFrom([]string{"a", "b", "A", "c"})
	rapid.Check(t, func(t *rapid.T) {
		var m artifact.Manifest
		for range rapid.IntRange(1, 6).Draw(t, "files") {
			p := strings.Join(rapid.SliceOfN(name, 1, 3).Draw(t, "path"), "/")
			step := rapid.SampledFrom([]string{"..", ".", "a", "b", "B", "c"})
			target := strings.Join(rapid.SliceOfN(step, 0, 5).Draw(t, "target"), "/")
			if target == "" {
				m.Files = append(m.Files, artifact.File{Path: p, Digest: artifact.DigestOf(nil)})
			} else {
				m.Files = append(m.Files, artifact.File{Path: p, Link: target})
			}
		}
		if m.Check(artifact.DefaultLimits) == nil {
			layOutPlainly(t, m)
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"files":[{"path":"a","link":"b"},{"path":"b/c","digest":"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}`))
	f.Add([]byte(`{"files":[{"path":"a","link":"d/up/../x"},{"path":"d/up","link":".."}]}`))
	f.Add([]byte(`{"files":[{"path":"../a"},{"path":"b","link":"/"}]}`))
	f.Add([]byte(`{"files":[{"path":"a","size":9223372036854775807},{"path":"b","size":-1}]}`))
	f.Add([]byte(`{"files":null}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m artifact.Manifest
		if json.Unmarshal(data, &m) != nil {
			return
		}
		if err := m.Check(artifact.Limits{Files: 100, FileSize: 1 << 20, Total: 1 << 20}); err != nil {
			wantHint(t, err)
			return
		}
		layOutPlainly(t, m)
	})
}

type testingT interface {
	Fatalf(format string, args ...any)
}

func layOutPlainly(t testingT, m artifact.Manifest) {
	outer, err := os.MkdirTemp("", "bundle")
	if err != nil {
		t.Fatalf("%v", err)
	}
	defer os.RemoveAll(outer)
	if outer, err = filepath.EvalSymlinks(outer); err != nil {
		t.Fatalf("%v", err)
	}
	root := filepath.Join(outer, "root")
	for _, f := range m.Files {
		name := filepath.Join(root, f.Path)
		if !strings.HasPrefix(name, root+"/") {
			t.Fatalf("%q is outside", f.Path)
		}
		err := os.MkdirAll(filepath.Dir(name), 0o755)
		if err == nil && f.Link != "" {
			err = os.Symlink(f.Link, name)
		} else if err == nil {
			var file *os.File
			if file, err = os.OpenFile(name, os.O_CREATE|os.O_EXCL, 0o644); err == nil {
				err = file.Close()
			}
		}
		if err != nil {
			t.Fatalf("lay out %q of %+v: %v", f.Path, m, err)
		}
	}
	for _, f := range m.Files {
		target, err := filepath.EvalSymlinks(filepath.Join(root, f.Path))
		if errors.Is(err, fs.ErrNotExist) || f.Link == "" {
			continue
		}
		// A link through a regular file cannot be followed anywhere.
		if err == nil && target != root && !strings.HasPrefix(target, root+"/") {
			t.Fatalf("%q of %+v leads to %s", f.Path, m, target)
		}
	}
}

package artifacts_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/aws/artifacts"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

const path = "artifacts/p1/c0ffee/"

// buildTree returns a .open-next as OpenNext leaves it, including files that no upload contains.
func buildTree(t *testing.T) (dir string, m artifact.Manifest) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), ".open-next")
	for name, content := range map[string]string{
		"open-next.output.json": "{}", "assets/a.js": "a", "assets/.well-known/x": "x", "assets/empty": "",
		"server-functions/default/index.mjs": "index", "revalidation-function/index.mjs": "revalidate",
		"warmer-function/index.mjs": "warm", ".build/cache.cjs": "build", "dynamodb-provider/index.mjs": "provider",
		"dynamodb-provider/dynamodb-cache.json": "[]", "cache/x/" + strings.Repeat("long", 50) + ".cache": strings.Repeat("cache", 1000),
	} {
		must(t, os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644))
	}
	m, err := artifact.Scan(t.Context(), dir, &artifact.Rules{Keep: opennext.Needed, Limits: artifact.DefaultLimits})
	must(t, err)
	return dir, m
}

func (w *world) put(t *testing.T, key string, content []byte) {
	t.Helper()
	_, err := w.s3.PutObject(t.Context(), &s3.PutObjectInput{Bucket: sdk.String(bucket), Key: &key, Body: bytes.NewReader(content)})
	must(t, err)
}

func TestImport_ArchiveEqualsUpload(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	dir, _ := buildTree(t)
	must(t, os.Chmod(filepath.Join(dir, "server-functions/default/index.mjs"), 0o755))
	must(t, os.Symlink("index.mjs", filepath.Join(dir, "server-functions/default/main.mjs")))
	must(t, os.Link(filepath.Join(dir, "assets/a.js"), filepath.Join(dir, "assets/b.js")))
	m, err := artifact.Scan(t.Context(), dir, &artifact.Rules{Keep: opennext.Needed, Limits: artifact.DefaultLimits})
	must(t, err)
	for name, args := range map[string][]string{"its files": {"-C", dir, "."}, "the folder": {"-C", filepath.Dir(dir), ".open-next"}} {
		archive := filepath.Join(t.TempDir(), "a.tar.gz")
		out, err := exec.CommandContext(t.Context(), "tar", append([]string{"-czf", archive}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("tar: %v\n%s", err, out)
		}
		packed, err := os.ReadFile(archive)
		must(t, err)
		w.put(t, path+"open-next.tar.gz", packed)

		store, id := w.open(t), newID()
		got, err := store.Import(t.Context(), id, "s3://"+bucket+"/"+path)
		must(t, err)
		if diff := cmp.Diff(m, got); diff != "" {
			t.Errorf("%s: the manifest differs from that of an upload: %s", name, diff)
		}
		must(t, store.Sync(t.Context(), id))
		for what, from := range map[string]*artifacts.Store{"here": store, "elsewhere": w.open(t)} {
			tree, _, err := from.Unpack(t.Context(), id)
			must(t, err)
			if again, err := artifact.Scan(t.Context(), tree, nil); err != nil || again.Digest() != m.Digest() {
				t.Errorf("%s, %s: the tree differs from the build's (%v)", name, what, err)
			}
		}
	}
}

func TestImport_PlainFilesEqualUpload(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	dir, m := buildTree(t)
	w.CLI(t, "s3", "cp", "--recursive", "--quiet", dir, "s3://"+bucket+"/"+path)
	w.put(t, path+"assets/", nil) // the console's folders
	store, id := w.open(t), newID()
	got, err := store.Import(t.Context(), id, path)
	must(t, err)
	if diff := cmp.Diff(m, got); diff != "" {
		t.Errorf("the manifest differs from that of an upload: %s", diff)
	}
	calls := w.Wire.Record()
	again, err := w.open(t).Import(t.Context(), id, path)
	must(t, err)
	if n := w.count(calls(), "PutObject") + w.count(calls(), "ListObjectsV2"); n != 0 || again.Digest() != m.Digest() {
		t.Errorf("a second import made %v", calls())
	}
}

func TestImport_ContinuesAfterInterruption(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	dir, m := buildTree(t)
	w.put(t, path+"open-next.tar.gz", pack(t, entriesOf(t, dir)...))
	id := newID()
	w.Wire.Break(awstest.Fault{Operation: "S3.PutObject", Nth: 4, Status: 400, Code: "Odd"})
	_, err := w.open(t).Import(t.Context(), id, path)
	wantCode(t, err, "s3")
	w.Wire.Mend()
	store := w.open(t)
	_, err = store.Import(t.Context(), id, path)
	must(t, err)
	_, unpacked, err := store.Unpack(t.Context(), id)
	must(t, err)
	if unpacked.Digest() != m.Digest() {
		t.Error("the tree differs from the build's")
	}
}

func TestImport_RefusesHostileArchives(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	file := func(name, content string) entry {
		return entry{tar.Header{Name: name, Size: int64(len(content))}, content}
	}
	link := func(kind byte, name, to string) entry {
		return entry{tar.Header{Typeflag: kind, Name: name, Linkname: to}, ""}
	}
	good := file("open-next.output.json", "{}")
	zeros := strings.Repeat("\x00", 3000)
	for name, test := range map[string]struct {
		code    string
		archive []byte
	}{
		"up":                 {"path_escapes", pack(t, good, file("../x", "x"))},
		"up in a left out":   {"path_escapes", pack(t, good, file("warmer-function/../../x", "x"))},
		"up in a folder":     {"path_escapes", pack(t, good, entry{tar.Header{Typeflag: tar.TypeDir, Name: "a/../../x/"}, ""})},
		"absolute":           {"absolute_path", pack(t, good, file("/etc/passwd", "x"))},
		"backslash":          {"backslash_in_path", pack(t, good, file(`a\..\x`, "x"))},
		"link out":           {"link_escapes", pack(t, good, link(tar.TypeSymlink, "a/l", "../../x"))},
		"absolute link":      {"link_escapes", pack(t, good, link(tar.TypeSymlink, "l", "/etc/passwd"))},
		"out by two links":   {"link_escapes", pack(t, good, link(tar.TypeSymlink, "a", "b/.."), link(tar.TypeSymlink, "b", "."), link(tar.TypeSymlink, "c", "a/../x"))},
		"through a link":     {"file_is_folder", pack(t, good, link(tar.TypeSymlink, "a", "b"), file("a/x", "x"))},
		"hard link out":      {"link_escapes", pack(t, good, link(tar.TypeLink, "l", "/etc/passwd"))},
		"device":             {"special_file", pack(t, good, entry{tar.Header{Typeflag: tar.TypeBlock, Name: "sda", Devmajor: 8}, ""})},
		"pipe":               {"special_file", pack(t, good, entry{tar.Header{Typeflag: tar.TypeFifo, Name: "pipe"}, ""})},
		"twice":              {"duplicate_path", pack(t, good, good)},
		"a large file":       {"artifact_too_large", pack(t, good, file("x", zeros))},
		"large in all":       {"artifact_too_large", pack(t, good, file("a", zeros[:1900]), file("b", zeros[:1900]), file("c", zeros[:1900]))},
		"large and left out": {"artifact_too_large", pack(t, good, file(".a", zeros[:1900]), file(".b", zeros[:1900]), file(".c", zeros[:1900]))},
		"many":               {"too_many_files", pack(t, good, file("1", "1"), file("2", "2"), file("3", "3"), file("4", "4"))},
		"many folders":       {"artifact_too_large", pack(t, folders(20)...)},
		"padding":            {"artifact_too_large", zip(t, append(tarOf(t, good), make([]byte, 1<<20)...))},
		"empty":              {"no_files", pack(t)},
		"no gzip":            {"bad_archive", []byte("PK\x03\x04 a zip archive")},
		"cut short":          {"bad_archive", pack(t, good, file("x", "x"))[:60]},
		"no tar":             {"bad_archive", zip(t, []byte(strings.Repeat("no tar ", 200)))},
	} {
		t.Run(name, func(t *testing.T) {
			w.put(t, path+"open-next.tar.gz", test.archive)
			store := w.openWith(t, artifacts.Config{Limits: artifact.Limits{Files: 4, FileSize: 2000, Total: 5000}})
			before := len(w.keys(t))
			_, err := store.Import(t.Context(), newID(), path)
			wantCode(t, err, test.code)
			if after := len(w.keys(t)); after != before {
				t.Errorf("%d objects were stored", after-before)
			}
		})
	}
}

func TestImport_RefusesHostilePlainFiles(t *testing.T) {
	w := newWorld(t, awstest.Shared(t))
	for name, code := range map[string]string{"a/../../x": "path_escapes", `a\b`: "backslash_in_path"} {
		at := "artifacts/p1/" + code + "/"
		w.put(t, at+name, []byte("x"))
		_, err := w.open(t).Import(t.Context(), newID(), at)
		wantCode(t, err, code)
	}
	w.put(t, "artifacts/p1/big/a", make([]byte, 101))
	_, err := w.openWith(t, artifacts.Config{Limits: artifact.Limits{Files: 9, FileSize: 100, Total: 100}}).Import(t.Context(), newID(), "artifacts/p1/big")
	wantCode(t, err, "artifact_too_large")
}

func TestImport_RefusesOtherPrefixes(t *testing.T) {
	store := newWorld(t, awstest.Shared(t)).open(t)
	for at, code := range map[string]string{
		"artifacts/p1/none/": "no_artifact", "files/": "bad_artifact_path", "": "bad_artifact_path",
		"s3://other/artifacts/p1/x/": "bad_artifact_path", "artifacts/../files/": "bad_artifact_path",
	} {
		_, err := store.Import(t.Context(), newID(), at)
		wantCode(t, err, code)
	}
	_, err := store.Import(t.Context(), "x", path)
	wantCode(t, err, "bad_deployment_id")
}

type entry struct {
	tar.Header
	content string
}

func folders(n int) (list []entry) {
	for range n {
		list = append(list, entry{tar.Header{Typeflag: tar.TypeDir, Name: "a/"}, ""})
	}
	return list
}

func entriesOf(t *testing.T, dir string) (list []entry) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		rel, _ := filepath.Rel(dir, name)
		list = append(list, entry{tar.Header{Name: rel, Size: int64(len(content))}, string(content)})
		return err
	}))
	return list
}

func pack(t *testing.T, entries ...entry) []byte { t.Helper(); return zip(t, tarOf(t, entries...)) }

func tarOf(t *testing.T, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, e := range entries {
		e.Mode = 0o644
		must(t, w.WriteHeader(&e.Header))
		_, err := io.WriteString(w, e.content)
		must(t, err)
	}
	must(t, w.Close())
	return out.Bytes()
}

func zip(t *testing.T, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(content)
	must(t, err)
	must(t, w.Close())
	return out.Bytes()
}

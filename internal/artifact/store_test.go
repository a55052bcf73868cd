package artifact_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

func TestStore_RoundTrip(t *testing.T) {
	source := writeTree(t, map[string]string{
		"index.mjs":                "export const handler = 1\n",
		"assets/_next/static/a.js": "a",
		"assets/copy-of-a.js":      "a",
		"empty":                    "",
		"bin/tool":                 "#!/bin/sh\n",
	})
	must(t, os.Chmod(filepath.Join(source, "bin/tool"), 0o755))
	must(t, os.Symlink("../index.mjs", filepath.Join(source, "bin/link")))

	store, id := openStore(t), newID()
	m := upload(t, store, id, source)
	dir, got, err := store.Unpack(t.Context(), id)
	must(t, err)
	if dir != store.Tree(id) || got.Digest() != m.Digest() {
		t.Errorf("Unpack returns %s and the manifest %s, want %s and %s", dir, got.Digest(), store.Tree(id), m.Digest())
	}
	if diff := cmp.Diff(readTree(t, source), readTree(t, dir)); diff != "" {
		t.Errorf("the tree differs from what was sent (-sent +laid out):\n%s", diff)
	}
	for name, want := range map[string]fs.FileMode{"index.mjs": 0o444, "bin/tool": 0o555, "bin": 0o755 | fs.ModeDir} {
		info, err := os.Stat(filepath.Join(dir, name))
		must(t, err)
		if info.Mode() != want {
			t.Errorf("%s has the mode %v, want %v", name, info.Mode(), want)
		}
	}
}

func TestStore_DeploymentsShareContents(t *testing.T) {
	source := writeTree(t, map[string]string{"a": "same", "b": "same"})
	store, first, second := openStore(t), newID(), newID()
	upload(t, store, first, source)
	m, err := artifact.Scan(t.Context(), source, nil)
	must(t, err)
	must(t, store.SaveManifest(t.Context(), second, m))
	missing, err := store.Missing(t.Context(), second)
	must(t, err)
	if len(missing) != 0 {
		t.Errorf("the second deployment misses %v, which the first one sent", missing)
	}
	one, _, err := store.Unpack(t.Context(), first)
	must(t, err)
	two, _, err := store.Unpack(t.Context(), second)
	must(t, err)
	a, err := os.Stat(filepath.Join(one, "a"))
	must(t, err)
	b, err := os.Stat(filepath.Join(two, "b"))
	must(t, err)
	if !os.SameFile(a, b) {
		t.Error("the two trees hold two copies of one content")
	}
}

func TestSaveManifest_OncePerDeployment(t *testing.T) {
	store, id := openStore(t), newID()
	m := manifestOf(map[string]string{"a": "1"})
	must(t, store.SaveManifest(t.Context(), id, m))
	must(t, store.SaveManifest(t.Context(), id, m))
	err := store.SaveManifest(t.Context(), id, manifestOf(map[string]string{"a": "2"}))
	wantCode(t, err, "manifest_exists")
	if !errors.Is(err, anchor.ErrConflict) {
		t.Errorf("another manifest returns %v, want a conflict", err)
	}
}

func TestStore_ChecksIDs(t *testing.T) {
	store := openStore(t)
	for _, id := range []anchor.DeploymentID{"", "..", "../../etc", "a/b", anchor.DeploymentID(strings.ToUpper(anchor.NewID()))} {
		_, missing := store.Missing(t.Context(), id)
		_, _, unpack := store.Unpack(t.Context(), id)
		for name, err := range map[string]error{
			"SaveManifest": store.SaveManifest(t.Context(), id, manifestOf(map[string]string{"a": "1"})),
			"Missing":      missing,
			"Unpack":       unpack,
			"Sync":         store.Sync(t.Context(), id),
			"Remove":       store.Remove(t.Context(), id),
		} {
			if code := codeOf(err); code != "bad_deployment_id" {
				t.Errorf("%s(%q) returns %q (%v)", name, id, code, err)
			}
		}
	}
}

func TestPut_RefusesUndeclaredContent(t *testing.T) {
	store := openStore(t)
	content := "the content"
	digest := artifact.DigestOf([]byte(content))
	for name, test := range map[string]struct {
		digest artifact.Digest
		size   int64
		body   io.Reader
		code   string
	}{
		"another content": {digest, 11, strings.NewReader("THE CONTENT"), "wrong_digest"},
		"too short":       {digest, 11, strings.NewReader("the"), "wrong_size"},
		"too long":        {digest, 11, strings.NewReader(content + "!"), "wrong_size"},
		"broken off":      {digest, 11, io.MultiReader(strings.NewReader("the"), failing{}), "upload_broken"},
		"no digest":       {"../../x", 11, strings.NewReader(content), "bad_digest"},
		"upper case":      {artifact.Digest(strings.ToUpper(string(digest))), 11, strings.NewReader(content), "bad_digest"},
		"negative":        {digest, -1, strings.NewReader(content), "file_too_large"},
		"too large":       {digest, store.Limits.FileSize + 1, strings.NewReader(content), "file_too_large"},
	} {
		t.Run(name, func(t *testing.T) {
			wantCode(t, store.Put(t.Context(), test.digest, test.size, test.body), test.code)
			wantNoLeftovers(t, store)
		})
	}
	must(t, store.Put(t.Context(), digest, 11, strings.NewReader(content)))
	wantCode(t, store.Put(t.Context(), digest, 12, strings.NewReader(content+"!")), "wrong_size")
}

func TestPut_StopsAtDeclaredSize(t *testing.T) {
	store := openStore(t)
	endless := &counting{}
	err := store.Put(t.Context(), artifact.DigestOf([]byte("x")), 1000, endless)
	wantCode(t, err, "wrong_size")
	if endless.read > 1001 {
		t.Errorf("read %d bytes of a content of 1000", endless.read)
	}
	must(t, store.Put(t.Context(), artifact.DigestOf(nil), 0, bytes.NewReader(nil)))
	must(t, store.Put(t.Context(), artifact.DigestOf(nil), 0, failing{})) // is there: nothing is read
}

func TestPut_StopsWithContext(t *testing.T) {
	store := openStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := store.Put(ctx, artifact.DigestOf([]byte("x")), 1<<20, &counting{after: 1 << 16, call: cancel})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
	wantNoLeftovers(t, store)
}

func TestPut_StreamsBigFile(t *testing.T) {
	store, id := openStore(t), newID()
	source := t.TempDir()
	big, err := os.Create(filepath.Join(source, "big"))
	must(t, err)
	must(t, big.Truncate(64<<20)) // a hole: no disk is used by the source
	must(t, big.Close())
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	upload(t, store, id, source)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
		t.Errorf("%d bytes of memory for a file of 64 MiB", used)
	}
}

func TestUnpack_RefusesMissingContents(t *testing.T) {
	store, id := openStore(t), newID()
	_, err := store.Missing(t.Context(), id)
	wantCode(t, err, "no_manifest")
	m := manifestOf(map[string]string{"a": "1", "b": "2"})
	must(t, store.SaveManifest(t.Context(), id, m))
	put(t, store, "1")
	missing, err := store.Missing(t.Context(), id)
	must(t, err)
	if want := []artifact.Digest{artifact.DigestOf([]byte("2"))}; !slices.Equal(missing, want) {
		t.Errorf("misses %v, want %v", missing, want)
	}
	_, _, err = store.Unpack(t.Context(), id)
	wantCode(t, err, "content_missing")
	wantCode(t, store.Sync(t.Context(), id), "content_missing")
	if _, err := os.Stat(store.Tree(id)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a tree was begun: %v", err)
	}
}

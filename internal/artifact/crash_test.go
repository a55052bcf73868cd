package artifact_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// A process killed while it unpacks leaves some of the tree and no marker. Whatever is
// left, the next Unpack makes the tree whole.
func TestUnpack_CompletesAfterKill(t *testing.T) {
	files := map[string]string{"bin/run": "#!/bin/sh\n", "a/b/c": "1", "a/b/d": "2", "e": ""}
	for name, damage := range map[string]func(t *testing.T, tree string){
		"nothing was laid out": func(t *testing.T, tree string) { must(t, os.RemoveAll(tree)) },
		"files are missing":    func(t *testing.T, tree string) { must(t, os.RemoveAll(filepath.Join(tree, "a/b"))) },
		"all but the marker":   func(*testing.T, string) {},
		"a file is another": func(t *testing.T, tree string) {
			must(t, os.Remove(filepath.Join(tree, "e")))
			must(t, os.WriteFile(filepath.Join(tree, "e"), []byte("half"), 0o600))
		},
		"a link is another": func(t *testing.T, tree string) {
			must(t, os.Remove(filepath.Join(tree, "link")))
			must(t, os.Symlink("elsewhere", filepath.Join(tree, "link")))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, id := t.TempDir(), newID()
			source := writeTree(t, files)
			must(t, os.Chmod(filepath.Join(source, "bin/run"), 0o755))
			must(t, os.Symlink("a/b", filepath.Join(source, "link")))
			store, err := artifact.Open(dir)
			must(t, err)
			upload(t, store, id, source)
			tree, _, err := store.Unpack(t.Context(), id)
			must(t, err)
			must(t, store.Close())
			must(t, os.Remove(tree+".done"))
			damage(t, tree)

			again := reopen(t, dir)
			_, _, err = again.Unpack(t.Context(), id)
			must(t, err)
			if diff := cmp.Diff(readTree(t, source), readTree(t, tree)); diff != "" {
				t.Errorf("the tree differs (-sent +laid out):\n%s", diff)
			}
		})
	}
}

func TestMissing_AfterRestart(t *testing.T) {
	dir, id := t.TempDir(), newID()
	store, err := artifact.Open(dir)
	must(t, err)
	must(t, store.SaveManifest(t.Context(), id, manifestOf(map[string]string{"a": "kept", "b": "lost"})))
	kept := newID()
	must(t, store.SaveManifest(t.Context(), kept, manifestOf(map[string]string{"x": "kept"})))
	put(t, store, "kept")
	must(t, store.Sync(t.Context(), kept))
	put(t, store, "lost")
	must(t, store.Close())

	again := reopen(t, dir)
	missing, err := again.Missing(t.Context(), id)
	must(t, err)
	want := []artifact.Digest{artifact.DigestOf([]byte("lost"))}
	if diff := cmp.Diff(want, missing); diff != "" {
		t.Errorf("what was not made durable is not missing (-want +got):\n%s", diff)
	}
}

func TestUnpack_StopsWithContext(t *testing.T) {
	store, id := openStore(t), newID()
	upload(t, store, id, writeTree(t, map[string]string{"a": "1"}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := store.Unpack(ctx, id); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
	_, _, err := store.Unpack(t.Context(), id)
	must(t, err)
}

func TestCollect_RemovesUnusedOnly(t *testing.T) {
	store, kept, gone := openStore(t), newID(), newID()
	upload(t, store, kept, writeTree(t, map[string]string{"a": "shared", "b": "kept"}))
	upload(t, store, gone, writeTree(t, map[string]string{"a": "shared", "b": "gone!"}))
	for _, id := range []anchor.DeploymentID{kept, gone} {
		_, _, err := store.Unpack(t.Context(), id)
		must(t, err)
	}
	put(t, store, "stray")

	must(t, store.Remove(t.Context(), gone))
	must(t, store.Remove(t.Context(), gone))
	if _, err := os.Stat(store.Tree(gone)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the removed tree is there: %v", err)
	}
	freed, err := store.Collect(t.Context(), time.Hour)
	must(t, err)
	if freed != 0 {
		t.Errorf("%d bytes freed that were used within the hour", freed)
	}
	freed, err = store.Collect(t.Context(), 0)
	must(t, err)
	if want := int64(len("stray")); freed != want {
		t.Errorf("%d bytes freed while the trash needs the rest, want %d", freed, want)
	}
	must(t, store.EmptyTrash(t.Context(), 0))
	freed, err = store.Collect(t.Context(), 0)
	must(t, err)
	if want := int64(len("gone!")); freed != want {
		t.Errorf("%d bytes freed, want %d", freed, want)
	}
	usage, err := store.Usage(t.Context())
	must(t, err)
	if want := (artifact.Usage{Manifests: 1, Contents: 2, Bytes: 10}); usage != want {
		t.Errorf("holds %+v, want %+v", usage, want)
	}
	missing, err := store.Missing(t.Context(), kept)
	must(t, err)
	if len(missing) != 0 {
		t.Errorf("the kept deployment lost %v", missing)
	}
}

// Uploads and collections without any grace run against each other; a content that a
// manifest names is never lost between Missing and Unpack.
func TestCollect_KeepsContentInUse(t *testing.T) {
	store := openStore(t)
	ctx, stop := context.WithCancel(t.Context())
	var collector, uploads sync.WaitGroup
	collector.Go(func() {
		for ctx.Err() == nil {
			if _, err := store.Collect(ctx, 0); err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("collect: %v", err)
				return
			}
		}
	})
	for worker := range 4 {
		uploads.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for range 15 {
				if err := deployAndRemove(ctx, store, random); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	uploads.Wait()
	stop()
	collector.Wait()
}

func deployAndRemove(ctx context.Context, store *artifact.Store, random *rand.Rand) error {
	contents := map[artifact.Digest]string{}
	files := map[string]string{}
	for i := range 5 {
		text := fmt.Sprint("content ", random.IntN(8))
		files[fmt.Sprint("file", i)] = text
		contents[artifact.DigestOf([]byte(text))] = text
	}
	id := newID()
	if err := store.SaveManifest(ctx, id, manifestOf(files)); err != nil {
		return err
	}
	missing, err := store.Missing(ctx, id)
	if err != nil {
		return err
	}
	for _, digest := range missing {
		text := contents[digest]
		if err := store.Put(ctx, digest, int64(len(text)), strings.NewReader(text)); err != nil {
			return err
		}
	}
	dir, _, err := store.Unpack(ctx, id)
	if err != nil {
		return err
	}
	for name, text := range files {
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || string(got) != text {
			return fmt.Errorf("%s holds %q, want %q: %w", name, got, text, err)
		}
	}
	return store.Remove(ctx, id)
}

func TestPut_ConcurrentPutsOfOneContent(t *testing.T) {
	store, id := openStore(t), newID()
	content := strings.Repeat("the same ", 10_000)
	digest := artifact.DigestOf([]byte(content))
	must(t, store.SaveManifest(t.Context(), id, manifestOf(map[string]string{"a": content})))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if err := store.Put(t.Context(), digest, int64(len(content)), strings.NewReader(content)); err != nil {
				t.Error(err)
			}
			if err := store.Sync(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	wantNoLeftovers(t, store)
	dir, _, err := store.Unpack(t.Context(), id)
	must(t, err)
	if got := readTree(t, dir)["a"]; got != content {
		t.Errorf("the file holds %d bytes, want %d", len(got), len(content))
	}
}

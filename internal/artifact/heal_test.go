package artifact_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
)

// unpacked returns a store with one deployment laid out and the files it has.
func unpacked(t *testing.T) (*artifact.Store, anchor.DeploymentID, map[string]string) {
	t.Helper()
	store, id := openStore(t), newID()
	source := writeTree(t, map[string]string{"a": "one", "b/c": "two", "b/d": "two", "run": "program"})
	must(t, os.Chmod(filepath.Join(source, "run"), 0o755))
	must(t, os.Symlink("a", filepath.Join(source, "link")))
	upload(t, store, id, source)
	_, _, err := store.Unpack(t.Context(), id)
	must(t, err)
	return store, id, readTree(t, store.Tree(id))
}

// overwrite changes a file in place, and with it every hard link to it.
func overwrite(t *testing.T, path string) {
	t.Helper()
	must(t, os.Chmod(path, 0o644))
	must(t, os.WriteFile(path, []byte("xxx"), 0o644))
}

// TestHeal_KeepsGroupAccess: workers read it meanwhile.
func TestHeal_KeepsGroupAccess(t *testing.T) {
	store, id, _ := unpacked(t)
	must(t, store.Admit(t.Context(), id, os.Getgid()))
	must(t, os.Remove(filepath.Join(store.Tree(id), "a")))
	_, err := store.Heal(t.Context(), id)
	must(t, err)
	info, err := os.Stat(store.Tree(id))
	must(t, err)
	if info.Mode().Perm() != 0o750 {
		t.Errorf("the tree's mode is %v", info.Mode())
	}
}

func TestHeal_RestoresTree(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, store *artifact.Store, tree string){
		"the tree is gone":   func(t *testing.T, _ *artifact.Store, tree string) { must(t, os.RemoveAll(tree)) },
		"a folder is gone":   func(t *testing.T, _ *artifact.Store, tree string) { must(t, os.RemoveAll(filepath.Join(tree, "b"))) },
		"a file is gone":     func(t *testing.T, _ *artifact.Store, tree string) { must(t, os.Remove(filepath.Join(tree, "b/c"))) },
		"a link is gone":     func(t *testing.T, _ *artifact.Store, tree string) { must(t, os.Remove(filepath.Join(tree, "link"))) },
		"a program is wrong": func(t *testing.T, _ *artifact.Store, tree string) { overwrite(t, filepath.Join(tree, "run")) },
		"a file is another": func(t *testing.T, _ *artifact.Store, tree string) {
			must(t, os.Remove(filepath.Join(tree, "a")))
			must(t, os.WriteFile(filepath.Join(tree, "a"), []byte("ONE"), 0o644))
		},
		"a folder is a file": func(t *testing.T, _ *artifact.Store, tree string) {
			must(t, os.RemoveAll(filepath.Join(tree, "a")))
			must(t, os.MkdirAll(filepath.Join(tree, "a", "b"), 0o755))
		},
		"the contents are gone": func(t *testing.T, store *artifact.Store, _ string) {
			must(t, os.RemoveAll(filepath.Join(storeDir(store), "blobs")))
			must(t, os.Mkdir(filepath.Join(storeDir(store), "blobs"), 0o700))
		},
	} {
		t.Run(name, func(t *testing.T) {
			store, id, want := unpacked(t)
			damage(t, store, store.Tree(id))
			left, err := store.Heal(t.Context(), id)
			must(t, err)
			if left.Any() {
				t.Errorf("not healed: %+v", left)
			}
			if diff := cmp.Diff(want, readTree(t, store.Tree(id))); diff != "" {
				t.Errorf("the healed tree (-want +got):\n%s", diff)
			}
			missing, err := store.Missing(t.Context(), id)
			must(t, err)
			if len(missing) > 0 {
				t.Errorf("contents are missing: %v", missing)
			}
		})
	}
}

// TestMissing_ReportsDamagedContent: a tree's file is a hard link to its content, so
// what writes to one damages both.
func TestMissing_ReportsDamagedContent(t *testing.T) {
	store, id, _ := unpacked(t)
	overwrite(t, filepath.Join(store.Tree(id), "a"))
	found, err := store.Inspect(t.Context(), id)
	must(t, err)
	if diff := cmp.Diff(artifact.Damage{Changed: []string{"a"}}, found); diff != "" {
		t.Errorf("found (-want +got):\n%s", diff)
	}
	left, err := store.Heal(t.Context(), id)
	must(t, err)
	if !left.Any() {
		t.Error("a content of which no whole copy is left counts as healed")
	}
	missing, err := store.Missing(t.Context(), id)
	must(t, err)
	if want := []artifact.Digest{artifact.DigestOf([]byte("one"))}; !cmp.Equal(want, missing) {
		t.Errorf("missing %v, want %v", missing, want)
	}
}

func TestRemove_KeepsTreeInTrash(t *testing.T) {
	store, id, want := unpacked(t)
	must(t, store.Remove(t.Context(), id))
	must(t, store.EmptyTrash(t.Context(), time.Hour))
	_, err := store.Collect(t.Context(), 0)
	must(t, err)
	back, err := store.TakeBack(t.Context(), id)
	must(t, err)
	if !back {
		t.Fatal("the trash has nothing to take back")
	}
	_, _, err = store.Unpack(t.Context(), id)
	must(t, err)
	if diff := cmp.Diff(want, readTree(t, store.Tree(id))); diff != "" {
		t.Errorf("taken back (-want +got):\n%s", diff)
	}
	if again, err := store.TakeBack(t.Context(), id); again || err != nil {
		t.Errorf("taken back twice: %v, %v", again, err)
	}

	must(t, store.Remove(t.Context(), id))
	must(t, store.EmptyTrash(t.Context(), 0))
	if back, err := store.TakeBack(t.Context(), id); back || err != nil {
		t.Errorf("taken back from the empty trash: %v, %v", back, err)
	}
}

// TestRemove_Twice holds two removals of one deployment apart.
func TestRemove_Twice(t *testing.T) {
	store, id, _ := unpacked(t)
	must(t, store.Remove(t.Context(), id))
	upload(t, store, id, writeTree(t, map[string]string{"second": "2"}))
	must(t, store.Remove(t.Context(), id))
	usage, err := store.Usage(t.Context())
	must(t, err)
	if usage.Trash != 2 {
		t.Errorf("the trash holds %d removals, want 2", usage.Trash)
	}
	if back, err := store.TakeBack(t.Context(), id); !back || err != nil {
		t.Fatalf("taken back: %v, %v", back, err)
	}
	m, err := store.Manifest(t.Context(), id)
	must(t, err)
	if len(m.Files) != 1 || m.Files[0].Path != "second" {
		t.Errorf("took back %+v, want the removal of last", m.Files)
	}
}

// TestReduce_ToNothingRemoves: an app without hashed files is pruned like any other.
func TestReduce_ToNothingRemoves(t *testing.T) {
	store, id, want := unpacked(t)
	for range 2 {
		must(t, store.Reduce(t.Context(), id, func(artifact.File) bool { return false }))
		_, err := store.Manifest(t.Context(), id)
		wantCode(t, err, "no_manifest")
		if _, err := os.Stat(store.Tree(id)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the tree is still there: %v", err)
		}
	}
	if back, err := store.TakeBack(t.Context(), id); !back || err != nil {
		t.Fatalf("taken back: %v, %v", back, err)
	}
	_, _, err := store.Unpack(t.Context(), id)
	must(t, err)
	if diff := cmp.Diff(want, readTree(t, store.Tree(id))); diff != "" {
		t.Errorf("taken back (-want +got):\n%s", diff)
	}
}

func TestReduce_KeepsTreeInUse(t *testing.T) {
	store, id, _ := unpacked(t)
	folder, err := store.SetAside(t.Context(), id)
	must(t, err)
	must(t, store.EmptyTrash(t.Context(), 0))
	found, err := filepath.Glob(filepath.Join(folder, string(id)+".*", "tree", "a"))
	must(t, err)
	if len(found) != 1 {
		t.Errorf("set aside in %s: %v", folder, found)
	}
}

// TestPut_ReplacesDamagedContent: the upload asks for the content again, without a run
// of the doctor, and the deployment that shares it serves the new one.
func TestPut_ReplacesDamagedContent(t *testing.T) {
	for name, content := range map[string]string{"cut off": "", "longer": "onetwothree"} {
		t.Run(name, func(t *testing.T) {
			store, id, want := unpacked(t)
			blob := filepath.Join(storeDir(store), "blobs", string(artifact.DigestOf([]byte("one")))[:2], string(artifact.DigestOf([]byte("one"))))
			must(t, os.Chmod(blob, 0o644))
			must(t, os.WriteFile(blob, []byte(content), 0o644))
			source, next := writeTree(t, map[string]string{"a": "one"}), newID()
			upload(t, store, next, source)
			_, _, err := store.Unpack(t.Context(), next)
			must(t, err)
			if got := readTree(t, store.Tree(next))["a"]; got != "one" {
				t.Errorf("the next deployment has %q", got)
			}
			left, err := store.Heal(t.Context(), id)
			must(t, err)
			if left.Any() {
				t.Errorf("not healed: %+v", left)
			}
			if diff := cmp.Diff(want, readTree(t, store.Tree(id))); diff != "" {
				t.Errorf("the healed tree (-want +got):\n%s", diff)
			}
		})
	}
}

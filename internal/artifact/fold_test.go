package artifact_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/artifact"
)

// Linux distinguishes these names, and so must requests for them.
func TestUnpack_PathsDifferingInCaseOrUnicodeForm(t *testing.T) {
	store := openStore(t)
	if artifact.Folds(store) {
		t.Fatalf("the disk of %s takes names for one that this test needs two of", storeDir(store))
	}
	want := map[string]string{
		"tag/Development": "upper", "tag/development": "lower", "Tag/development": "folder",
		"k": "k", "\u212a": "kelvin", "caf\u00e9": "NFC", "cafe\u0301": "NFD",
	}
	m, id := manifestOf(want), newID()
	must(t, store.SaveManifest(t.Context(), id, m))
	for _, content := range want {
		put(t, store, content)
	}
	dir, _, err := store.Unpack(t.Context(), id)
	must(t, err)
	if diff := cmp.Diff(want, readTree(t, dir)); diff != "" {
		t.Errorf("the tree differs (-want +got):\n%s", diff)
	}
}

func TestManifest_CaseInsensitiveDiskRefusesClashes(t *testing.T) {
	store := openStore(t)
	artifact.Fold(store)
	file := func(p string) artifact.File { return artifact.File{Path: p, Digest: artifact.DigestOf(nil)} }
	link := func(p, target string) artifact.File { return artifact.File{Path: p, Link: target} }
	for name, test := range map[string]struct {
		code  string
		files []artifact.File
	}{
		"case":                            {"path_clash", []artifact.File{file("a/README"), file("a/readme")}},
		"case, Kelvin":                    {"path_clash", []artifact.File{file("k"), file("\u212a")}},
		"Unicode form":                    {"path_clash", []artifact.File{file("caf\u00e9"), file("cafe\u0301")}},
		"file and folder":                 {"file_is_folder", []artifact.File{file("A"), file("a/b")}},
		"link out by another link's case": {"link_escapes", []artifact.File{link("d/a", "../b/../y"), link("B", ".")}},
	} {
		t.Run(name, func(t *testing.T) {
			m, id := artifact.Manifest{Files: test.files}, newID()
			must(t, m.Check(store.Limits))
			wantCode(t, store.SaveManifest(t.Context(), id, m), test.code)
			_, err := store.Manifest(t.Context(), id)
			wantCode(t, err, "no_manifest")
		})
	}
	if left, err := filepath.Glob(filepath.Join(storeDir(store), "incoming", "*")); err != nil || len(left) > 0 {
		t.Errorf("trying names left %v, %v", left, err)
	}
}

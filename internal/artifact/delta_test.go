package artifact_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/anchor-deploy/anchor/internal/artifact"
)

func TestDelta_RestoresManifest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		trees := rapid.MapOf(rapid.StringMatching("[a-c]{1,2}"), rapid.StringMatching("[xy]"))
		before, after := manifestOf(trees.Draw(t, "before")), manifestOf(trees.Draw(t, "after"))
		delta := after.Since("base", before)
		got, err := delta.Apply(before)
		if err != nil {
			t.Fatal(err)
		}
		if got.Digest() != after.Digest() {
			t.Fatalf("it differs: %s", cmp.Diff(after, got))
		}
		if before.Digest() == after.Digest() && len(delta.Changed)+len(delta.Removed) > 0 {
			t.Fatalf("nothing changed, but the delta is %+v", delta)
		}
	})
}

func TestDelta_CarriesModesAndLinks(t *testing.T) {
	before := manifestOf(map[string]string{"a": "1", "b": "2", "c": "3"})
	after := artifact.Manifest{Files: append([]artifact.File(nil), before.Files...)}
	after.Files[0].Exec = true
	after.Files[1] = artifact.File{Path: "b", Link: "a"}
	if d := after.Since("base", before); len(d.Changed) != 2 || len(d.Removed) != 0 {
		t.Errorf("the delta is %+v", d)
	}
}

func TestDelta_OtherBaseIsRefused(t *testing.T) {
	before, after := manifestOf(map[string]string{"a": "1", "b": "2"}), manifestOf(map[string]string{"a": "1", "b": "3"})
	delta := after.Since("base", before)
	for name, other := range map[string]artifact.Manifest{
		"none": {}, "one more": manifestOf(map[string]string{"a": "1", "b": "2", "c": "1"}), "one other": manifestOf(map[string]string{"a": "2"}),
	} {
		_, err := delta.Apply(other)
		if err == nil {
			t.Fatalf("%s: it is taken", name)
		}
		wantCode(t, err, "no_base")
	}
	delta.Changed = append(delta.Changed, delta.Changed...)
	_, err := delta.Apply(before)
	wantCode(t, err, "no_base")
}

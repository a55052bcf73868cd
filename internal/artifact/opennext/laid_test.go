package opennext_test

import (
	"maps"
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// The paths of a real build yield the same functions as its own files.
func TestLaid_RealBuilds(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	must(t, err)
	if len(archives) == 0 {
		t.Fatal("no trees in testdata")
	}
	for _, name := range archives {
		tree := load(t, filepath.Base(name))
		build, err := opennext.Parse(tree)
		must(t, err)
		var want []anchor.Function
		for _, f := range build.Functions {
			want = append(want, anchor.Function{Name: f.Name, Dir: f.Dir, Handler: f.Handler, Image: f.Image, Edge: f.Edge})
		}
		if diff := cmp.Diff(want, opennext.Laid(maps.Keys(tree))); diff != "" {
			t.Errorf("%s: the functions differ (-parsed +laid):\n%s", name, diff)
		}
	}
}

func TestLaid_IgnoresOtherFiles(t *testing.T) {
	paths := []string{
		"open-next.output.json", "server-functions/stray.txt", "server-function", "image-optimization-function", "assets/middleware/handler.mjs",
		"middleware/open-next.config.mjs", "middleware/handler.mjs/x", "revalidation-function/index.mjs", "dynamodb-provider/dynamodb-cache.json",
	}
	if found := opennext.Laid(slices.Values(paths)); len(found) != 0 {
		t.Errorf("functions of none: %+v", found)
	}
}

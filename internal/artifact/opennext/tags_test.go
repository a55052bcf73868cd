package opennext_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

func TestTags(t *testing.T) {
	tree := load(t, "app-router.txtar")
	build, err := opennext.Parse(tree)
	must(t, err)
	rows, err := opennext.Tags(bytes.NewReader(tree[build.TagsFile].Data))
	must(t, err)
	if len(rows) != 6 {
		t.Fatalf("%d rows, want 6", len(rows))
	}
	for _, row := range rows {
		if !strings.HasPrefix(row.Tag, build.BuildID+"/_N_T_/") || !strings.HasPrefix(row.Path, build.BuildID+"/") || row.RevalidatedAt != 1 {
			t.Errorf("the row %+v is not of this build", row)
		}
	}
}

func TestTags_DropDuplicates(t *testing.T) {
	const row = `{"tag":{"S":"b/t"},"path":{"S":"b/p"},"revalidatedAt":{"N":"1700000000000"},"more":{"BOOL":true}}`
	rows, err := opennext.Tags(strings.NewReader("[" + row + "," + row + "]"))
	must(t, err)
	if diff := cmp.Diff([]opennext.TagRow{{Tag: "b/t", Path: "b/p", RevalidatedAt: 1_700_000_000_000}}, rows); diff != "" {
		t.Errorf("the rows differ (-want +got):\n%s", diff)
	}
	rows, err = opennext.Tags(strings.NewReader("[]"))
	if err != nil || len(rows) != 0 {
		t.Errorf("an empty list returns %v and %v", rows, err)
	}
}

func TestTags_Broken(t *testing.T) {
	for name, data := range map[string]string{
		"empty":         "",
		"an object":     "{}",
		"cut short":     `[{"tag":{"S":"a"},"path":{"S":"b"},"revalidatedAt":{"N":"1"}},`,
		"cut in a row":  `[{"tag":{"S":"a"`,
		"not closed":    `[{"tag":{"S":"a"},"path":{"S":"b"},"revalidatedAt":{"N":"1"}}`,
		"no tag":        `[{"path":{"S":"b"},"revalidatedAt":{"N":"1"}}]`,
		"no path":       `[{"tag":{"S":"a"},"revalidatedAt":{"N":"1"}}]`,
		"no number":     `[{"tag":{"S":"a"},"path":{"S":"b"},"revalidatedAt":{"N":"soon"}}]`,
		"another shape": `[["a","b",1]]`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := opennext.Tags(strings.NewReader(data))
			wantCode(t, err, "bad_tags")
		})
	}
}

package opennext

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func TestMaxDurations(t *testing.T) {
	b := anchor.Build{
		Functions: []anchor.Function{
			{Name: anchor.ServerFunction, Dir: "server-functions/default", Handler: "index.handler"},
			{Name: "api", Dir: "server-functions/api", Handler: "index.handler"},
		},
		Routes: []anchor.Route{{Pattern: "api/*", Function: "api"}, {Pattern: "_next/*"}, {Pattern: "*", Function: anchor.ServerFunction}},
	}
	config := "server-functions/default/.next/server/functions-config-manifest.json"
	tree := fstest.MapFS{"server-functions/default/index.mjs": {Data: []byte("export const handler = 1")}}
	for name, c := range map[string]struct {
		text string
		want map[string]int32
	}{
		"no manifest": {"", map[string]int32{}},
		"by route": {`{"version": 1, "functions": {"/slow/page": {"maxDuration": 45}, "/quick": {"maxDuration": 5},
			"/api/report/route": {"maxDuration": 120}, "/api/[id]": {}, "/_middleware": {"matchers": []}}}`,
			map[string]int32{anchor.ServerFunction: 45, "api": 120}},
		"another form": {`{"functions": []}`, map[string]int32{}},
	} {
		t.Run(name, func(t *testing.T) {
			delete(tree, config)
			if c.text != "" {
				tree[config] = &fstest.MapFile{Data: []byte(c.text)}
			}
			got, err := MaxDurations(tree, b)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

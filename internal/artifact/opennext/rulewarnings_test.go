package opennext

import (
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// A middleware on the edge runtime stands in one manifest, one on Node.js in the other.
func TestFileRules_WarnOfConditionalMatchers(t *testing.T) {
	const matchers = `[
		{"regexp": "^(?:\\/(_next\\/data\\/[^/]{1,}))?\\/private(?:\\/.*)?$", "originalSource": "/private/:path*"},
		{"regexp": "^(?:\\/(_next\\/data\\/[^/]{1,}))?\\/products(?:\\/.*)?$", "has": [{"type": "query", "key": "mw"}], "originalSource": "/products/:id*"},
		{"regexp": "^(?:\\/(_next\\/data\\/[^/]{1,}))?\\/docs(?:\\/.*)?$", "missing": [{"type": "header", "key": "x-skip"}], "originalSource": "/docs/:path*"}]`
	for name, tree := range map[string]struct{ file, content string }{
		"edge runtime": {"server/middleware-manifest.json", `{"middleware": {"/": {"matchers": ` + matchers + `}}}`},
		"Node.js":      {"server/functions-config-manifest.json", `{"functions": {"/_middleware": {"matchers": ` + matchers + `}}}`},
	} {
		for _, conditional := range []bool{true, false} {
			content := tree.content
			if !conditional {
				content = strings.NewReplacer(`"has"`, `"unused"`, `"missing"`, `"unused"`).Replace(content)
			}
			build := ruledTree(t, manifest("routes-manifest.json", `{}`))
			delete(build, serverHome+"/.next/server/middleware-manifest.json")
			delete(build, serverHome+"/.next/server/functions-config-manifest.json")
			for file, entry := range manifest(tree.file, content) {
				build[file] = entry
			}
			got := fileRulesOf(t, build, anchor.Build{}).Warnings()
			named := slices.ContainsFunc(got, func(warning string) bool {
				return strings.Contains(warning, `every request that matches "/products/:id*", "/docs/:path*".`)
			})
			if named != conditional || len(got) > 1 {
				t.Errorf("%s, conditions %v: %q", name, conditional, got)
			}
		}
	}
}

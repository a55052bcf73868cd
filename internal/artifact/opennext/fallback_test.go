package opennext_test

import (
	"encoding/json"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// OpenNext 4.1 stores the shell of a page with fallback: true as an entry of the app router, which Next.js answers with 500.
func TestSeeds_OmitFallbackShells(t *testing.T) {
	tree := load(t, "app-router.txtar")
	build, err := opennext.Parse(tree)
	must(t, err)
	edit(t, tree, "revalidation-function/prerender-manifest.json", func(manifest map[string]any) {
		manifest["dynamicRoutes"] = map[string]any{
			"/posts/[id]":   map[string]any{"fallback": "/posts/[id].html", "dataRoute": "/_next/data/B/posts/[id].json"},
			"/blocking/[b]": map[string]any{"fallback": nil, "dataRoute": "/_next/data/B/blocking/[b].json"},
			"/closed/[c]":   map[string]any{"fallback": false, "dataRoute": "/_next/data/B/closed/[c].json"},
			"/app/[slug]":   map[string]any{"fallback": "/app/[slug].html", "dataRoute": "/app/[slug].rsc"},
		}
	})
	shells := []string{"posts/[id]", "de/posts/[id]", "route-cache/PAGES/c0ffee/$/posts/[id]", "route-cache/PAGES/c0ffee/$/de/posts/[id]"}
	pages := []string{
		"posts/a", "posts/[id]/more", "blocking/[b]", "app/[slug]", "route-cache/PAGES/c0ffee/$/posts/a",
		"route-cache/APP_PAGE/c0ffee/$/app/[slug]", "route-cache/APP_PAGE/c0ffee/$/posts/[id]",
	}
	for _, entry := range slices.Concat(shells, pages) {
		tree["cache/"+build.CacheBuild+"/"+entry+".cache"] = text("{}")
	}
	files, err := opennext.CacheFiles(tree, build)
	must(t, err)
	has := func(entry string) bool {
		return slices.ContainsFunc(files, func(f opennext.CacheFile) bool { return f.Key == build.CacheBuild+"/"+entry+".cache" })
	}
	for _, entry := range shells {
		if has(entry) {
			t.Errorf("the shell %s is seeded", entry)
		}
	}
	for _, entry := range pages {
		if !has(entry) {
			t.Errorf("%s is not seeded", entry)
		}
	}
}

func TestImageHeaders_AreFromConfig(t *testing.T) {
	tree := load(t, "app-router.txtar")
	edit(t, tree, "image-optimization-function/.next/required-server-files.json", func(file map[string]any) {
		file["config"].(map[string]any)["images"] = map[string]any{"contentSecurityPolicy": "sandbox", "contentDispositionType": "inline"}
	})
	build, err := opennext.Parse(tree)
	must(t, err)
	if build.Images.SecurityPolicy != "sandbox" || build.Images.Disposition != "inline" {
		t.Errorf("%+v", build.Images)
	}
}

// edit changes a JSON file of a tree.
func edit(t *testing.T, tree fstest.MapFS, name string, change func(map[string]any)) {
	t.Helper()
	var file map[string]any
	must(t, json.Unmarshal(tree[name].Data, &file))
	change(file)
	edited, err := json.Marshal(file)
	must(t, err)
	tree[name] = text(string(edited))
}

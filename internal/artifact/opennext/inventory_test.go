package opennext_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

func TestTakeInventory_NamesRoutesAsFoldersDo(t *testing.T) {
	const server, cache = "server-functions/default/apps/web/.next/server/", "cache/build/route-cache/APP_PAGE/hash/$/"
	inv := opennext.TakeInventory(slices.Values([]opennext.Sized{
		{"assets/robots.txt", 10}, {"assets/BUILD_ID", 5}, {"assets/_next/static/a.js", 20},
		{"server-functions/default/index.mjs", 100},
		{server + "app/page.js", 1}, {server + "app/(shop)/products/[slug]/page.js", 2}, {server + "app/@modal/login/page.js", 3},
		{server + "app/api/echo/route.js", 4}, {server + "app/_not-found/page.js", 5}, {server + "app/page_client-reference-manifest.js", 6},
		{server + "app/docs/[...all]/page.js", 7}, {server + "pages/index.js", 8}, {server + "pages/old/index.js", 9}, {server + "pages/_app.js", 10},
		{"server-functions/default/node_modules/x/.next/server/app/page.js", 11},
		{"server-functions/api/.next/server/pages/api/hello.js", 12}, {server + "pages/api/hello.js", 13}, {server + "pages/plain.html", 14},
		{cache + "index.cache", 30}, {cache + "products/mug.cache", 31}, {cache + "products/bell.cache", 32}, {"cache/build/docs/a/b.cache", 33},
		{"cache/build/de-CH/old.cache", 34}, {"cache/__fetch/build/x.cache", 99}, {"cache/build/unknown.cache", 98},
		{"image-optimization-function/index.mjs", 50}, {"middleware/handler.mjs", 60},
	}))
	type sum = opennext.Sum
	want := []opennext.SizedRoute{
		{"/", "page", "default", 8, sum{1, 30}}, {"/api/echo", "api", "default", 4, sum{}}, {"/api/hello", "api", "api", 12, sum{}},
		{"/docs/[...all]", "page", "default", 7, sum{1, 33}}, {"/login", "page", "default", 3, sum{}}, {"/old", "page", "default", 9, sum{1, 34}},
		{"/plain", "page", "default", 14, sum{}}, {"/products/[slug]", "page", "default", 2, sum{2, 63}},
	}
	if diff := cmp.Diff(want, inv.Routes); diff != "" {
		t.Error(diff)
	}
	if inv.Static != (sum{2, 30}) {
		t.Errorf("static files: %+v", inv.Static)
	}
	if inv.All.Files != 27 || inv.All.Bytes < 500 {
		t.Errorf("all files: %+v", inv.All)
	}
	names := map[string]int64{}
	for _, f := range inv.Functions {
		names[f.Name] = f.Bytes
	}
	if names["api"] != 12 || names["imageOptimizer"] != 50 || names["middleware"] != 60 || names["default"] < 100 {
		t.Errorf("functions: %v", names)
	}
}

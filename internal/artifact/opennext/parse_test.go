package opennext_test

import (
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestParse_RealBuilds(t *testing.T) {
	archives, err := filepath.Glob("testdata/*.txtar")
	must(t, err)
	if len(archives) == 0 {
		t.Fatal("no trees in testdata")
	}
	for _, name := range archives {
		t.Run(filepath.Base(name), func(t *testing.T) {
			tree := load(t, filepath.Base(name))
			build, err := opennext.Parse(tree)
			must(t, err)
			files, err := opennext.CacheFiles(tree, build)
			must(t, err)
			got, err := json.MarshalIndent(map[string]any{"build": build, "cache": files}, "", "\t")
			must(t, err)
			golden := strings.TrimSuffix(name, ".txtar") + ".golden.json"
			if *update {
				must(t, os.WriteFile(golden, append(got, '\n'), 0o644))
			}
			want, err := os.ReadFile(golden)
			must(t, err)
			if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
				t.Errorf("the build differs (-want +got):\n%s", diff)
			}
			must(t, opennext.CheckNative(tree, "linux", "amd64"))
		})
	}
}

// The golden files show whole builds; this test names the facts that matter.
func TestParse_CorrectsOutputFile(t *testing.T) {
	build, err := opennext.Parse(load(t, "pages-split.txtar"))
	must(t, err)
	if last := build.Routes[len(build.Routes)-1]; last.Pattern != "*" || last.Function != "default" || last.Middleware != "middleware" {
		t.Errorf("the last route is %+v, want the default", last)
	}
	middleware, ok := build.Function("middleware")
	if !ok || !middleware.Edge || middleware.Converter != "aws-cloudfront" {
		t.Errorf("the middleware is %+v, want an edge function that takes CloudFront's events", middleware)
	}
	if build.BasePath != "/docs" {
		t.Errorf("the base path is %q, want /docs", build.BasePath)
	}
}

func TestParse_NormalizesPatterns(t *testing.T) {
	for written, want := range map[string]string{
		"docs/api/*": "docs/api/*", "docs//api/*": "docs/api/*", "/docs///api/*": "docs/api/*",
	} {
		tree := load(t, "pages-split.txtar")
		replace(t, tree, "open-next.output.json", `"docs/api/*"`, `"`+written+`"`)
		build, err := opennext.Parse(tree)
		must(t, err)
		if !slices.Contains(build.Routes, anchor.Route{Pattern: want, Function: "api", Middleware: "middleware"}) {
			t.Errorf("%q becomes none of %+v, want %q", written, build.Routes, want)
		}
	}
}

func TestParse_MonorepoBundle(t *testing.T) {
	tree := load(t, "app-router.txtar")
	const home = "server-functions/default"
	for _, file := range []string{"/index.mjs", "/.next/BUILD_ID", "/.next/required-server-files.json"} {
		tree[home+"/apps/web"+file] = tree[home+file]
		delete(tree, home+file)
	}
	tree[home+"/index.mjs"] = text(`export { handler } from "./apps/web/index.mjs";`)
	remove(tree, "image-optimization-function/.next")
	delete(tree, "assets/BUILD_ID")
	replace(t, tree, home+"/apps/web/.next/required-server-files.json", `"basePath": ""`, `"basePath": "/web"`)
	build, err := opennext.Parse(tree)
	must(t, err)
	if build.BuildID == "" || build.BasePath != "/web" {
		t.Errorf("the app's own files were not found: %+v", build)
	}
	delete(tree, home+"/apps/web/index.mjs")
	_, err = opennext.Parse(tree)
	wantCode(t, err, "handler_missing")
}

func TestParse_DeploymentIDNamesCache(t *testing.T) {
	tree := load(t, "app-router.txtar")
	before, err := opennext.Parse(tree)
	must(t, err)
	replace(t, tree, "image-optimization-function/.next/required-server-files.json", `"basePath": ""`, `"basePath": "", "deploymentId": "v7"`)
	for name := range tree { // createAssets.js writes the entries under the deploymentId, but fetches under BUILD_ID
		if rest, found := strings.CutPrefix(name, "cache/"+before.BuildID+"/"); found {
			tree["cache/v7/"+rest] = tree[name]
			delete(tree, name)
		}
	}
	build, err := opennext.Parse(tree)
	must(t, err)
	files, err := opennext.CacheFiles(tree, build)
	must(t, err)
	for _, file := range files {
		if !strings.HasPrefix(file.Key, "v7/") && !strings.HasPrefix(file.Key, "__fetch/v7/") {
			t.Errorf("%s has the key %s, which the functions do not ask for", file.Path, file.Key)
		}
	}
	if len(files) != 5 {
		t.Errorf("%d entries, want 5", len(files))
	}
	row := opennext.TagRow{Tag: before.BuildID + "/t", Path: before.BuildID + "/p", RevalidatedAt: 1}.For(build)
	if want := (opennext.TagRow{Tag: "v7/t", Path: "v7/p", RevalidatedAt: 1}); row != want {
		t.Errorf("the row becomes %+v, want %+v", row, want)
	}
}

// An assetPrefix that is a separate path makes a site without JavaScript: OpenNext puts no file
// there.
func TestParse_AssetPrefix(t *testing.T) {
	for _, c := range []struct {
		prefix, basePath string
		refused          bool
	}{
		{prefix: ""}, {prefix: "/"}, {prefix: "https://cdn.example.com/shop"}, {prefix: "//cdn.example.com"},
		{prefix: "/docs", basePath: "/docs"}, {prefix: "/docs/", basePath: "/docs"}, {prefix: "", basePath: "/docs"},
		{prefix: "/cdn", refused: true}, {prefix: "cdn", refused: true},
		{prefix: "/cdn", basePath: "/docs", refused: true}, {prefix: "/", basePath: "/docs", refused: true},
	} {
		tree := load(t, "app-router.txtar")
		for name := range tree {
			if path.Base(name) == "required-server-files.json" {
				replace(t, tree, name, `"basePath": ""`, `"basePath": "`+c.basePath+`"`)
				replace(t, tree, name, `"assetPrefix": ""`, `"assetPrefix": "`+c.prefix+`"`)
			}
		}
		_, err := opennext.Parse(tree)
		if !c.refused {
			must(t, err)
			continue
		}
		e := wantCode(t, err, "asset_prefix")
		if !strings.Contains(e.Error(), `assetPrefix in next.config is "`+c.prefix+`"`) || !strings.Contains(e.Hint, "basePath") {
			t.Errorf("%+v is refused with %q (%s)", c, e, e.Hint)
		}
	}
}

func TestParse_DisabledCaches(t *testing.T) {
	tree := load(t, "app-router.txtar")
	replace(t, tree, "open-next.output.json", `"additionalProps":{`, `"additionalProps":{"disableTagCache":true,`)
	build, err := opennext.Parse(tree)
	must(t, err)
	if build.TagCache || build.TagsFile != "" || build.Cache != "cache" {
		t.Errorf("without the tag cache: %+v", build)
	}
	replace(t, tree, "open-next.output.json", `"disableTagCache":true`, `"disableIncrementalCache":true`)
	remove(tree, "cache")
	remove(tree, "revalidation-function")
	remove(tree, "server-functions/default/.next")
	if build, err = opennext.Parse(tree); err != nil {
		t.Fatal(err)
	}
	if build.TagCache || build.TagsFile != "" || build.Cache != "" || build.CacheBuild != "" {
		t.Errorf("without the incremental cache: %+v", build)
	}
	files, err := opennext.CacheFiles(tree, build)
	if err != nil || len(files) != 0 {
		t.Errorf("got %v and %v, want no entries", files, err)
	}
}

func TestParse_TagCacheWithoutTags(t *testing.T) {
	for _, name := range []string{"app-router.txtar", "v2.txtar"} {
		tree := load(t, name)
		remove(tree, "dynamodb-provider")
		build, err := opennext.Parse(tree)
		must(t, err)
		if !build.TagCache || build.TagsFile != "" {
			t.Errorf("%s: the tag cache is %t with the rows of %q", name, build.TagCache, build.TagsFile)
		}
	}
}

func TestParse_NothingPrerendered(t *testing.T) {
	tree := load(t, "app-router.txtar")
	remove(tree, "cache")
	build, err := opennext.Parse(tree)
	must(t, err)
	files, err := opennext.CacheFiles(tree, build)
	if err != nil || len(files) != 0 || build.Cache != "cache" {
		t.Errorf("got %v, %v and the cache %q", files, err, build.Cache)
	}
}

func TestParse_BrokenBuilds(t *testing.T) {
	const out, home = "open-next.output.json", "server-functions/default"
	edit := func(old, with string) func(*testing.T, fstest.MapFS) {
		return func(t *testing.T, tree fstest.MapFS) { replace(t, tree, out, old, with) }
	}
	without := func(names ...string) func(*testing.T, fstest.MapFS) {
		return func(_ *testing.T, tree fstest.MapFS) {
			for _, name := range names {
				remove(tree, name)
			}
		}
	}
	with := func(name, content string) func(*testing.T, fstest.MapFS) {
		return func(_ *testing.T, tree fstest.MapFS) { tree[name] = text(content) }
	}
	split := `"default":{"type":"function","handler":"index.handler","bundle":".open-next/server-functions/default"`
	for name, test := range map[string]struct {
		code  string
		spoil func(*testing.T, fstest.MapFS)
	}{
		"empty":                  {"open_next_missing", func(_ *testing.T, tree fstest.MapFS) { clear(tree) }},
		"the folder above":       {"open_next_above", func(_ *testing.T, tree fstest.MapFS) { clear(tree); tree[".open-next/"+out] = text("{}") }},
		"cut short":              {"build_unfinished", without(out)},
		"cloudflare's build":     {"cloudflare_build", func(_ *testing.T, tree fstest.MapFS) { clear(tree); tree["worker.js"] = text("") }},
		"truncated JSON":         {"bad_output_json", edit(`"additionalProps"`, "")},
		"no JSON":                {"bad_output_json", with(out, "<html>")},
		"empty JSON file":        {"bad_output_json", with(out, "")},
		"another version":        {"unknown_layout", with(out, `{"version":9,"functions":[]}`)},
		"endless JSON":           {"file_too_large", with(out, strings.Repeat(" ", 9<<20))},
		"unknown kind":           {"unknown_layout", edit(split, strings.Replace(split, "function", "worker", 1))},
		"container":              {"container_function", edit(split, strings.Replace(split, `"type":"function"`, `"type":"ecs"`, 1))},
		"cloudflare wrapper":     {"cloudflare_build", edit(`"wrapper":"aws-lambda-streaming"`, `"wrapper":"cloudflare-node"`)},
		"cloudflare converter":   {"cloudflare_build", edit(`"wrapper":"aws-lambda-streaming","converter":"aws-apigw-v2"`, `"wrapper":"x","converter":"edge"`)},
		"node wrapper":           {"unsupported_wrapper", edit(`"wrapper":"aws-lambda-streaming"`, `"wrapper":"node"`)},
		"wrapper of the author":  {"unsupported_wrapper", edit(`"wrapper":"aws-lambda-streaming"`, `"wrapper":"mine"`)},
		"no wrapper":             {"unsupported_wrapper", edit(`"wrapper":"aws-lambda-streaming"`, `"wrapper":""`)},
		"API Gateway 1":          {"unsupported_converter", edit(`"aws-apigw-v2"`, `"aws-apigw-v1"`)},
		"development cache":      {"unsupported_cache", edit(`"incrementalCache":"s3"`, `"incrementalCache":"fs-dev"`)},
		"development tags":       {"unsupported_cache", edit(`"tagCache":"dynamodb"`, `"tagCache":"fs-dev-nextMode"`)},
		"global function":        {"global_function", edit(`"edgeFunctions":{}`, `"edgeFunctions":{"api":{"bundle":".open-next/server-functions/api","handler":"index.handler"}}`)},
		"name with a path":       {"bad_function_name", edit(`"imageOptimizer":{`, `"../x":{`)},
		"name of the middleware": {"bad_function_name", edit(`"imageOptimizer":{`, `"middleware":{`)},
		"bundle elsewhere":       {"bad_bundle_path", edit(`"bundle":".open-next/server-functions/default"`, `"bundle":".open-next/../../etc"`)},
		"absolute bundle":        {"bad_bundle_path", edit(`"bundle":".open-next/server-functions/default"`, `"bundle":"/etc"`)},
		"bundle is the root":     {"bad_bundle_path", edit(`"bundle":".open-next/server-functions/default"`, `"bundle":""`)},
		"bundle missing":         {"bundle_missing", without(home)},
		"handler missing":        {"handler_missing", without(home + "/index.mjs")},
		"handler without export": {"handler_missing", edit(`"handler":"index.handler"`, `"handler":"index"`)},
		"handler elsewhere":      {"handler_missing", edit(`"handler":"index.handler"`, `"handler":"../../assets/x.handler"`)},
		"re-export elsewhere":    {"handler_missing", with(home+"/index.mjs", `export { handler } from "./../../image-optimization-function/index.mjs";`)},
		"no assets":              {"assets_missing", without("assets")},
		"no BUILD_ID":            {"no_build_id", without("assets/BUILD_ID", "image-optimization-function/.next", home+"/.next")},
		"empty BUILD_ID":         {"bad_build_id", with("assets/BUILD_ID", "\n")},
		"BUILD_ID with a path":   {"bad_build_id", with("assets/BUILD_ID", "../../x")},
		"BUILD_ID of dots":       {"bad_build_id", with("assets/BUILD_ID", "..")},
		"deploymentId":           {"bad_build_id", with("image-optimization-function/.next/required-server-files.json", `{"config":{"deploymentId":"a/b"}}`)},
		"no config":              {"no_next_config", without("image-optimization-function/.next", home+"/.next")},
		"bad config":             {"bad_json", with("image-optimization-function/.next/required-server-files.json", `{"config":`)},
		"empty config":           {"bad_json", with("image-optimization-function/.next/required-server-files.json", "")},
		"bad base path":          {"bad_base_path", with("image-optimization-function/.next/required-server-files.json", `{"config":{"basePath":"docs/"}}`)},
		"no prerender manifest":  {"no_prerender_manifest", without("revalidation-function", home+"/.next/prerender-manifest.json")},
		"no preview id": {"no_prerender_manifest", func(_ *testing.T, tree fstest.MapFS) {
			tree["revalidation-function/prerender-manifest.json"] = text("{}")
			remove(tree, home+"/.next/prerender-manifest.json")
		}},
		"no default route":      {"no_default_route", edit(`"pattern":"*"`, `"pattern":"x"`)},
		"split takes all":       {"function_without_patterns", edit(`"pattern":"*","origin":"default"`, `"pattern":"*","origin":"imageOptimizer"`)},
		"assets take all":       {"function_without_patterns", edit(`"pattern":"*","origin":"default"`, `"pattern":"*","origin":"s3"`)},
		"unknown origin":        {"unknown_origin", edit(`"pattern":"hello.txt","origin":"s3"`, `"pattern":"hello.txt","origin":"gone"`)},
		"unknown edge function": {"unknown_origin", edit(`"pattern":"hello.txt",`, `"pattern":"hello.txt","edgeFunction":"gone",`)},
		"empty pattern":         {"bad_pattern", edit(`"pattern":"hello.txt"`, `"pattern":"/"`)},
	} {
		t.Run(name, func(t *testing.T) {
			tree := load(t, "app-router.txtar")
			test.spoil(t, tree)
			_, err := opennext.Parse(tree)
			wantCode(t, err, test.code)
		})
	}
}

func TestParse_RefusesCloudflareMiddleware(t *testing.T) {
	tree := load(t, "pages-split.txtar")
	replace(t, tree, "open-next.output.json", `"pathResolver":"pattern-env","wrapper":"aws-lambda"`, `"pathResolver":"pattern-env","wrapper":"cloudflare-edge"`)
	_, err := opennext.Parse(tree)
	wantCode(t, err, "cloudflare_build")
	tree = load(t, "pages-split.txtar")
	remove(tree, "middleware")
	_, err = opennext.Parse(tree)
	wantCode(t, err, "bundle_missing")
}

// A build from outside may hold anything: it parses into something whole, or it is
// refused with what to do.
func FuzzParse(f *testing.F) {
	for _, name := range []string{"app-router.txtar", "pages-split.txtar"} {
		tree := load(f, name)
		f.Add(tree["open-next.output.json"].Data, []byte("id"), []byte(`{"config":{"basePath":"/docs"}}`), []byte(`export { handler } from "./a/index.mjs"`))
	}
	f.Add([]byte(`{"origins":{"default":null,"s3":null},"behaviors":[{}]}`), []byte(".."), []byte(`{}`), []byte(""))
	f.Add([]byte(`null`), []byte("a/b"), []byte(`[]`), []byte(`export { handler } from "./../../x"`))
	whole := load(f, "pages-split.txtar")
	f.Fuzz(func(t *testing.T, out, buildID, config, code []byte) {
		tree := maps.Clone(whole)
		tree["open-next.output.json"] = text(string(out))
		tree["assets/BUILD_ID"] = text(string(buildID))
		tree["image-optimization-function/.next/required-server-files.json"] = text(string(config))
		tree["server-functions/default/index.mjs"] = text(string(code))
		build, err := opennext.Parse(tree)
		if err != nil {
			if e := (*anchor.Error)(nil); !errors.As(err, &e) || e.Code == "" || e.Hint == "" {
				t.Errorf("%v does not say what to do", err)
			}
			return
		}
		if last := build.Routes[len(build.Routes)-1]; last.Pattern != "*" || last.Function != "default" {
			t.Errorf("the last route is %+v", last)
		}
		for _, route := range build.Routes {
			if _, known := build.Function(route.Function); !known && route.Function != "" {
				t.Errorf("%+v leads nowhere", route)
			}
		}
		if _, err := opennext.CacheFiles(tree, build); err != nil {
			t.Error(err)
		}
	})
}

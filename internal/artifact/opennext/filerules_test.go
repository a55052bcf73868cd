package opennext

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

const serverHome = "server-functions/default"

// ruledTree is a server function whose manifests are those of a real build of Next.js 16.4 with proxy.ts, cut to what
// concerns files, and changed by edits.
func ruledTree(t *testing.T, edits fstest.MapFS) fstest.MapFS {
	t.Helper()
	tree := fstest.MapFS{
		serverHome + "/index.mjs": {Data: []byte("let w=await e?.maybeGetAssetResult?.(o);" + strings.Repeat(" ", maxText))},
	}
	for name, place := range map[string]string{"routes-manifest.json": ".next/", "functions-config-manifest.json": ".next/server/"} {
		data, err := os.ReadFile("testdata/filerules/" + name)
		if err != nil {
			t.Fatal(err)
		}
		tree[serverHome+"/"+place+name] = &fstest.MapFile{Data: data}
	}
	maps.Copy(tree, edits)
	return tree
}

func manifest(name, text string) fstest.MapFS {
	return fstest.MapFS{serverHome + "/.next/" + name: {Data: []byte(text)}}
}

func fileRulesOf(t *testing.T, tree fstest.MapFS, build anchor.Build) *FileRules {
	t.Helper()
	build.Functions = append(build.Functions, anchor.Function{Name: anchor.ServerFunction, Dir: serverHome, Handler: "index.handler"})
	rules, err := ReadFileRules(tree, build)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// said formats a rule as one line.
func said(f FileRule) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(f.Header)) {
		lines = append(lines, name+"="+strings.Join(f.Header[name], "|"))
	}
	return strings.Join(append(slices.Clone(f.Deciders), lines...), "; ")
}

func TestFileRules(t *testing.T) {
	rules := fileRulesOf(t, ruledTree(t, nil), anchor.Build{})
	if !rules.Asked {
		t.Error("the bundle asks for files")
	}
	for path, want := range map[string]string{
		"private/report.txt":    "the middleware; X-Private=1",
		"private/a b+ü.txt":     "the middleware; X-Private=1",
		"Private/report.txt":    "the middleware; X-Private=1", // Next.js ignores case by default
		"admin/logo.png":        "the middleware",
		"vault":                 "the middleware",
		"vault.json":            "the middleware",
		"vaults.txt":            "",
		"old.txt":               `the redirect "/old.txt"`,
		"old2.txt":              `the redirect "/Old2.TXT"`,
		"docs/over.txt":         `the beforeFiles rewrite "/docs/over.txt"`,
		"free/plain.txt":        "", // an afterFiles rewrite comes after files
		"free/cond.txt":         `headers for "/free/cond.txt"`,
		"free/p/n.txt":          `headers for "/free/p/:name"`,
		"fonts/f.woff2":         "Access-Control-Allow-Origin=*; Cache-Control=public, max-age=604800; Vary=Origin",
		"_next/static/x/y.js":   "X-Static=1",
		"favicon.ico":           "",
		"_next/static-like.txt": "",
	} {
		if got := said(rules.Of(path)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

func TestFileRules_AllKindsOfMiddleware(t *testing.T) {
	const none = `{"functions":{}}`
	for name, c := range map[string]struct {
		edge, node, path string
		want             bool
	}{
		"none":               {`{"middleware":{}}`, none, "a.txt", false},
		"no manifest":        {"", "", "a.txt", false},
		"lookahead, outside": {`{"middleware":{"/":{"matchers":[{"regexp":"^(?:\\/((?!_next\\/static|_next\\/image).*))$"}]}}}`, none, "a.txt", true},
		"lookahead, inside":  {`{"middleware":{"/":{"matchers":[{"regexp":"^(?:\\/((?!_next\\/static|_next\\/image).*))$"}]}}}`, none, "_next/static/a.js", false},
		"any file extension": {`{"middleware":{"/":{"matchers":[{"regexp":"^(?:\\/((?!.*\\..*).*))$"}]}}}`, none, "a.txt", false},
		"without matchers":   {`{"middleware":{"/":{}}}`, none, "_next/static/a.js", true},
		"of Next.js 12":      {`{"middleware":{"/":{"regexp":"^/a.*$"}}}`, none, "b.txt", false},
		"Node.js, all":       {`{"middleware":{}}`, `{"functions":{"/_middleware":{"runtime":"nodejs"}}}`, "a.txt", true},
		"with a condition":   {`{"middleware":{"/":{"matchers":[{"regexp":"^/a.txt$","missing":[{"type":"cookie","key":"x"}]}]}}}`, none, "a.txt", true},
		"not a pattern":      {`{"middleware":{"/":{"matchers":[{"regexp":"("}]}}}`, none, "a.txt", true},
		"takes for ever":     {`{"middleware":{"/":{"matchers":[{"regexp":"^/(a+)+$"}]}}}`, none, strings.Repeat("a", 60) + "!", true},
	} {
		t.Run(name, func(t *testing.T) {
			tree := ruledTree(t, manifest("routes-manifest.json", `{}`))
			delete(tree, serverHome+"/.next/server/functions-config-manifest.json")
			if c.edge != "" {
				maps.Copy(tree, manifest("server/middleware-manifest.json", c.edge))
				maps.Copy(tree, manifest("server/functions-config-manifest.json", c.node))
			}
			got := fileRulesOf(t, tree, anchor.Build{}).Of(c.path)
			if slices.Contains(got.Deciders, middlewareName) != c.want {
				t.Errorf("%s: %q", c.path, said(got))
			}
		})
	}
}

func TestFileRules_BasePathAndLocales(t *testing.T) {
	tree := ruledTree(t, manifest("routes-manifest.json", `{
		"i18n": {"locales": ["en", "de"], "defaultLocale": "en"},
		"redirects": [{"source": "/docs/:nextInternalLocale(en|de)/old.txt", "regex": "^(?!/_next)/docs(?:/(en|de))/old\\.txt(?:/)?$"}],
		"headers": [
			{"source": "/docs/:nextInternalLocale(en|de)/:path*", "regex": "^/docs(?:/(en|de))(?:/((?:[^/]+?)(?:/(?:[^/]+?))*))?(?:/)?$", "headers": [{"key": "x-next", "value": "1"}]},
			{"source": "/docs/de/:path*", "regex": "^/docs/de(?:/((?:[^/]+?)(?:/(?:[^/]+?))*))?(?:/)?$", "headers": [{"key": "x-german", "value": "1"}]},
			{"source": "/docs/:path*", "regex": "^/docs(?:/((?:[^/]+?)(?:/(?:[^/]+?))*))?(?:/)?$", "headers": [{"key": "x-any", "value": "1"}]}
		],
		"rewrites": [{"source": "/docs/a.txt", "regex": "^/docs/a\\.txt$"}]}`))
	delete(tree, serverHome+"/.next/server/functions-config-manifest.json")
	rules := fileRulesOf(t, tree, anchor.Build{BasePath: "/docs"})
	for path, want := range map[string]string{
		"a.txt":   `headers for "/docs/de/:path*"; X-Any=1; X-Next=1`,
		"old.txt": `the redirect "/docs/:nextInternalLocale(en|de)/old.txt"; headers for "/docs/de/:path*"; X-Any=1; X-Next=1`,
	} {
		if got := said(rules.Of(path)); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
	if !slices.Equal(rules.Locales(), []string{"en", "de"}) {
		t.Errorf("locales %q", rules.Locales())
	}
}

func TestFileRules_HeadersThatNeedRequest(t *testing.T) {
	for _, c := range []struct {
		source, key, value string
		want               bool
	}{
		{"/:path*", "X-A", "b", false},
		{"/:path*", "Content-Security-Policy", "connect-src https://a.test:8443 'self'; img-src data:", false},
		{"/:path*", "X-A", "is :path", true},
		{"/:path*", "X-:path", "b", true},
		{"/(.*)", "X-A", ":0", true},
		{"/(.*)", "X-A", "localhost:3000", false},
		{"/a.txt", "X-A", ":path", false},
	} {
		r := route{Source: c.source, Headers: []routeHeader{{c.key, c.value}}}
		if got := isInterpolated(r); got != c.want {
			t.Errorf("%s, %s: %s: %v", c.source, c.key, c.value, got)
		}
	}
}

func TestFileRules_LaterHeadersReplaceEarlier(t *testing.T) {
	tree := ruledTree(t, manifest("routes-manifest.json", `{"headers": [
		{"source": "/a", "regex": "^/a$", "headers": [{"key": "x-a", "value": "1"}, {"key": "set-cookie", "value": "a=1"}]},
		{"source": "/a", "regex": "^/a$", "headers": [{"key": "X-A", "value": "2"}, {"key": "Set-Cookie", "value": "b=1"}]}]}`))
	got := fileRulesOf(t, tree, anchor.Build{}).Of("a").Header
	if got.Get("X-A") != "2" || !slices.Equal(got["Set-Cookie"], []string{"a=1", "b=1"}) {
		t.Errorf("%v", got)
	}
}

// TestFileRules_UnknownRulesApplyToAll: a rule that the build does not state never permits
// anything.
func TestFileRules_UnknownRulesApplyToAll(t *testing.T) {
	tree := ruledTree(t, nil)
	delete(tree, serverHome+"/.next/routes-manifest.json")
	if got := fileRulesOf(t, tree, anchor.Build{}).Of("free.txt"); len(got.Deciders) == 0 {
		t.Error("without a routes-manifest.json no rule concerns a file")
	}
	tree = ruledTree(t, nil)
	delete(tree, serverHome+"/.next/server/functions-config-manifest.json")
	tree["middleware/handler.mjs"] = &fstest.MapFile{Data: []byte("maybeGetAssetResult" + strings.Repeat(" ", maxText))}
	external := anchor.Build{Functions: []anchor.Function{{Name: anchor.MiddlewareFunction, Dir: "middleware", Handler: "handler.handler", Edge: true}}}
	if got := said(fileRulesOf(t, tree, external).Of("free.txt")); got != middlewareName {
		t.Errorf("with an external middleware of unknown matchers: %q", got)
	}
}

func TestFileRules_BundlesThatAskForFiles(t *testing.T) {
	old := []byte("routing without files" + strings.Repeat(" ", maxText))
	tree := ruledTree(t, fstest.MapFS{serverHome + "/index.mjs": {Data: old}})
	if rules := fileRulesOf(t, tree, anchor.Build{}); rules.Asked {
		t.Error("a bundle of an older OpenNext asks")
	}
	tree = ruledTree(t, fstest.MapFS{
		serverHome + "/index.mjs":               {Data: []byte(`export { handler } from "./apps/web/index.mjs";`)},
		serverHome + "/apps/web/index.mjs":      {Data: []byte("maybeGetAssetResult")},
		serverHome + "/apps/web/.next/BUILD_ID": {Data: []byte("b")},
	})
	if rules := fileRulesOf(t, tree, anchor.Build{}); !rules.Asked {
		t.Error("a bundle in a monorepo does not ask")
	}
	tree = ruledTree(t, fstest.MapFS{"server-functions/api/index.mjs": {Data: old}})
	split := anchor.Build{Functions: []anchor.Function{{Name: "api", Dir: "server-functions/api", Handler: "index.handler"}}}
	if rules := fileRulesOf(t, tree, split); rules.Asked {
		t.Error("a split function does not ask, but all do")
	}
}

func TestPassed_WarningNamesFilesAndRules(t *testing.T) {
	rules := fileRulesOf(t, ruledTree(t, nil), anchor.Build{})
	if got := rules.Passed([]string{"free/plain.txt", "fonts/f.woff2"}, false).Warning(); got != "" {
		t.Errorf("without a file that a rule decides about: %q", got)
	}
	want := `static files are served past rules that Next.js runs first: headers of next.config. They are fonts/f.woff2`
	if got := rules.Passed([]string{"free/plain.txt", "fonts/f.woff2"}, true).Warning(); got != want {
		t.Errorf("with headers: %q", got)
	}
	paths := []string{"old.txt", "free/plain.txt", "BUILD_ID"}
	for i := range 9 {
		paths = append(paths, fmt.Sprintf("private/%d.txt", i))
	}
	want = `static files are served past rules that Next.js runs first: the redirect "/old.txt", the middleware. ` +
		`They are old.txt, private/0.txt, private/1.txt, private/2.txt, private/3.txt and 5 more`
	if got := rules.Passed(paths, false).Warning(); got != want {
		t.Errorf("%s", got)
	}
}

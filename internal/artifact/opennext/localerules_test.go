package opennext

import (
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// localeRoutes are the rules of a real build of Next.js 16.4 with a base path and languages.
const localeRoutes = `{
	"redirects": [
		{"source": "/docs/", "regex": "^/docs/$", "internal": true},
		{"source": "/docs/en/old.txt", "regex": "^/docs/en/old\\.txt$"},
		{"source": "/docs/:nextInternalLocale(en|de)/old.txt", "regex": "^(?!/_next)/docs(?:/(en|de))/old\\.txt$"},
		{"source": "/docs/:nextInternalLocale(en|de)/twin", "regex": "^(?!/_next)/docs(?:/(en|de))/twin$"},
		{"source": "/docs/twin", "regex": "^(?!/_next)/docs/twin$", "locale": false},
		{"source": "/:nextInternalLocale(en|de)/elsewhere", "regex": "^(?!/_next)(?:/(en|de))/elsewhere$"}],
	"rewrites": {
		"beforeFiles": [{"source": "/docs/:nextInternalLocale(en|de)/a", "regex": "^/docs(?:/(en|de))/a$"}],
		"afterFiles": [{"source": "/docs/:nextInternalLocale(en|de)/b", "regex": "^/docs(?:/(en|de))/b$"}],
		"fallback": [{"source": "/docs/:nextInternalLocale(en|de)/c", "regex": "^/docs(?:/(en|de))/c$"}]},
	"i18n": {"locales": ["en", "de"], "defaultLocale": "en"}}`

const localeMatcher = `{"middleware": {"/": {"matchers": [
	{"regexp": "^\\/docs(?:\\/(_next\\/data\\/[^/]{1,}))?(?:\\/((?!_next\\/)[^/.]{1,}))\\/admin(\\.json)?[\\/#\\?]?$"},
	{"regexp": "^\\/docs(?:\\/((?!_next\\/)[^/.]{1,}))\\/private[\\/#\\?]?$"}]}}}`

func TestFileRules_WarnOfRulesNeverApplied(t *testing.T) {
	array := strings.Replace(localeRoutes, `"rewrites": {`, `"rewrites": [{"source": "/docs/:nextInternalLocale(en|de)/d", "regex": "^/docs(?:/(en|de))/d$"}], "unused": {`, 1)
	for name, c := range map[string]struct {
		basePath, routes, matcher string
		want                      string // what the warning names; "" for no warning
	}{
		"all kinds": {"/docs", localeRoutes, `{}`, `the redirect "/docs/old.txt", the rewrite "/docs/a", the rewrite "/docs/b", the rewrite "/docs/c":`},
		"an array":  {"/docs", array, `{}`, `the redirect "/docs/old.txt", the rewrite "/docs/d":`},
		"headers": {"/docs", `{"headers": [{"source": "/docs/:nextInternalLocale(en|de)/:p*", "regex": "^/docs(?:/(en|de))/.*$"}],
			"i18n": {"locales": ["en"]}}`, `{}`, `headers for "/docs/:p*":`},
		"a matcher":            {"/docs", `{"i18n": {"locales": ["en", "de"]}}`, localeMatcher, `applies the middleware: it compares them with "/en/docs/…" where Next.js has "/docs/en/…".`},
		"without matcher":      {"/docs", `{"i18n": {"locales": ["en"]}}`, `{"middleware": {"/": {"matchers": [{"regexp": "^/.*$"}]}}}`, ""},
		"no languages":         {"/docs", strings.Replace(localeRoutes, `"i18n"`, `"unused2"`, 1), localeMatcher, ""},
		"no base path":         {"", localeRoutes, localeMatcher, ""},
		"languages, no rules":  {"/docs", `{"i18n": {"locales": ["en"]}}`, `{}`, ""},
		"a rule for each form": {"/docs", `{"redirects": [{"source": "/docs/:nextInternalLocale(en)/x", "regex": "^/docs/en/x$"}, {"source": "/docs/x", "regex": "^/docs/x$"}], "i18n": {"locales": ["en"]}}`, `{}`, ""},
	} {
		tree := ruledTree(t, manifest("routes-manifest.json", c.routes))
		delete(tree, serverHome+"/.next/server/functions-config-manifest.json")
		for file, entry := range manifest("server/middleware-manifest.json", c.matcher) {
			tree[file] = entry
		}
		got := fileRulesOf(t, tree, anchor.Build{BasePath: c.basePath}).warnMismatched()
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

package opennext

import (
	"net/url"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func sharingOf(t *testing.T, tree fstest.MapFS, build anchor.Build) *Sharing {
	t.Helper()
	build.Functions = append(build.Functions, anchor.Function{Name: anchor.ServerFunction, Dir: serverHome, Handler: "index.handler"})
	s, err := ReadSharing(tree, build)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *Sharing) wantGuarded(t *testing.T, want bool, paths ...string) {
	t.Helper()
	for _, path := range paths {
		u, err := url.ParseRequestURI(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Guarded(u); got != want {
			t.Errorf("%s: guarded %t, want %t", path, got, want)
		}
	}
}

func TestSharing_Guarded(t *testing.T) {
	s := sharingOf(t, ruledTree(t, nil), anchor.Build{BuildID: "b1"})
	if !s.HasMiddleware() {
		t.Error("the build has proxy.ts")
	}
	s.wantGuarded(t, true, "/private/report", "/private/a%20b", "/private/", "/vault", "/vault/", "/admin", "/Vault", "/%76ault",
		"/_next/data/b1/vault.json", "/_next/data/other/private/x.json", "/vault.rsc")
	s.wantGuarded(t, false, "/", "/vaults", "/free/private", "/_next/data/b1/index.json")
}

// Next.js' documents recommend a matcher that excludes paths. OpenNext compares it exactly, so that
// another case is not excluded.
func TestSharing_Guarded_Exclusion(t *testing.T) {
	manifest := manifest("server/middleware-manifest.json", `{"middleware": {"/": {"matchers": [{"regexp": "^/((?!api|_next/static).*)$"}]}}}`)
	s := sharingOf(t, ruledTree(t, manifest), anchor.Build{})
	s.wantGuarded(t, true, "/", "/page", "/API", "/Api/x")
	s.wantGuarded(t, false, "/api", "/api/x")
}

func TestSharing_Guarded_Languages(t *testing.T) {
	edits := manifest("routes-manifest.json", `{"i18n": {"locales": ["en", "de"], "defaultLocale": "en"}}`)
	edits[serverHome+"/.next/server/middleware-manifest.json"] = &fstest.MapFile{
		Data: []byte(`{"middleware": {"/": {"matchers": [{"regexp": "^/docs/(en|de)/secret$"}, {"regexp": "^/(en|de)/docs/other$"}]}}}`)}
	edits[serverHome+"/.next/server/functions-config-manifest.json"] = &fstest.MapFile{Data: []byte(`{}`)}
	s := sharingOf(t, ruledTree(t, edits), anchor.Build{BasePath: "/docs"})
	s.wantGuarded(t, true, "/docs/secret", "/docs/de/secret", "/docs/other", "/docs/_next/data/b/secret.json")
	s.wantGuarded(t, false, "/docs/page", "/docs/de/page")
	if !slices.Contains(s.Headers, "Accept-Language") || !slices.Contains(s.Cookies, "NEXT_LOCALE") {
		t.Errorf("the language is chosen by %q, %q", s.Headers, s.Cookies)
	}
}

func TestSharing_WithoutMiddleware(t *testing.T) {
	tree := ruledTree(t, nil)
	delete(tree, serverHome+"/.next/server/functions-config-manifest.json")
	s := sharingOf(t, tree, anchor.Build{})
	s.wantGuarded(t, false, "/", "/private/report")
	if s.HasMiddleware() {
		t.Error("there is a middleware")
	}
	delete(tree, serverHome+"/.next/routes-manifest.json") // is it a build of Next.js?
	sharingOf(t, tree, anchor.Build{}).wantGuarded(t, true, "/")
}

func TestSharing_Conditions(t *testing.T) {
	edits := manifest("routes-manifest.json", `{
		"redirects": [{"source": "/a", "has": [{"type": "cookie", "key": "beta"}, {"type": "query", "key": "q"}]}],
		"headers": [{"source": "/b", "missing": [{"type": "header", "key": "x-plan"}, {"type": "host", "value": "x"}]}],
		"rewrites": {"beforeFiles": [{"source": "/c", "has": [{"type": "header", "key": "X-Plan"}]}],
			"afterFiles": [{"source": "/d", "has": [{"type": "cookie", "key": "team"}]}], "fallback": [{"source": "/e", "has": [{"type": "header", "key": "save-data"}]}]},
		"i18n": {"locales": ["en"], "defaultLocale": "en", "localeDetection": false}}`)
	s := sharingOf(t, ruledTree(t, edits), anchor.Build{})
	slices.Sort(s.Headers)
	slices.Sort(s.Cookies)
	if !slices.Equal(s.Headers, []string{"Save-Data", "X-Plan"}) || !slices.Equal(s.Cookies, []string{"beta", "team"}) {
		t.Errorf("headers %q, cookies %q", s.Headers, s.Cookies)
	}
}

package platformtest

import (
	"net/http"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func wantPage(t *testing.T, a answer, body string) {
	t.Helper()
	if a.status != http.StatusOK || a.body != body {
		t.Errorf("it answers %d %q, want %q", a.status, a.body, body)
	}
}

func splitFunction(t *testing.T, s *stand) {
	const settings = `{"aws": {"timeout": 40, "functions": {"api": {"memory": 512, "timeout": 45}}}}`
	a, _ := s.liveApp(t, NewApp("one").Split("api", "api/*", "one-api").With(anchor.SettingsFile, settings))
	if s.Sizes != nil {
		for function, want := range map[string][2]int32{"api": {512, 45}, anchor.ServerFunction: {1024, 40}} {
			if memory, timeout := s.Sizes(t, function); memory != want[0] || timeout != want[1] {
				t.Errorf("the function %s has %d MB and %d s, want %v", function, memory, timeout, want)
			}
		}
	}
	for _, host := range []string{s.siteHost(), s.hostOf(a)} {
		s.wantPage(t, host, "/", "one")
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
			wantPage(t, s.sendRequest(t, method, host, "/api/name"), "one-api "+method)
		}
		s.wantPage(t, host, "/public.txt", "public of one")
	}
}

// splitFollows goes from an app with a split function to one without, to one with
// another, and back to the first.
func splitFollows(t *testing.T, s *stand) {
	first, _ := s.liveApp(t, NewApp("one").Split("api", "api/*", "one-api"))
	s.wantPage(t, s.siteHost(), "/api/name", "one-api GET")
	s.liveApp(t, NewApp("two"))
	s.wantPage(t, s.siteHost(), "/api/name", "two GET")
	s.liveApp(t, NewApp("three").Split("api", "api/*", "three-api").Split("v2", "v2/*", "three-v2"))
	s.wantPage(t, s.siteHost(), "/api/name", "three-api GET")
	_, err := s.releases.Rollback(t.Context(), s.project.ID, first.Deployment.ID)
	must(t, err)
	s.wantPage(t, s.siteHost(), "/api/name", "one-api GET")
	s.wantPage(t, s.siteHost(), "/", "one")
}

func testImages(t *testing.T, s *stand) {
	const picture = "/_next/image?url=%2Fa.png&w=64&q=75"
	one, _ := s.liveApp(t, NewApp("one").Images("one"))
	s.wantPage(t, s.siteHost(), picture, "one /a.png 64")
	s.liveApp(t, NewApp("two").Images("two"))
	s.wantPage(t, s.siteHost(), picture, "two /a.png 64")
	s.wantPage(t, s.hostOf(one), picture, "one /a.png 64")
	_, err := s.releases.Rollback(t.Context(), s.project.ID, one.Deployment.ID)
	must(t, err)
	s.wantPage(t, s.siteHost(), picture, "one /a.png 64")
	s.wantPage(t, s.siteHost(), "/", "one")
}

func basePath(t *testing.T, s *stand) {
	one, _ := s.liveApp(t, NewAppUnder("one", "/docs"))
	s.liveApp(t, NewAppUnder("two", "/docs"))
	s.wantPage(t, s.siteHost(), "/docs", "two")
	s.wantPage(t, s.siteHost(), "/docs/", "two")
	s.wantPage(t, s.siteHost(), "/docs/public.txt", "public of two")
	s.wantPage(t, s.siteHost(), "/docs/_next/static/chunks/two.js", "chunk of two")
	s.wantPage(t, s.siteHost(), "/docs/_next/static/chunks/one.js", "chunk of one")
	s.wantPage(t, s.hostOf(one), "/docs/public.txt", "public of one")
	for _, outside := range []string{"/", "/public.txt", "/_next/static/chunks/two.js"} {
		if status, body := s.askPage(t, s.siteHost(), outside); status != http.StatusNotFound {
			t.Errorf("%s is outside of the base path and answers %d %q", outside, status, body)
		}
	}
}

// testTags revalidates a tag in one of two deployments of the same build.
func testTags(t *testing.T, s *stand) {
	one := s.newArtifact(t, NewApp("one").Tagged())
	s.publishArtifact(t, one)
	two := s.newArtifact(t, NewApp("one").Tagged())
	s.publishArtifact(t, two)
	s.wantPage(t, s.hostOf(one), "/tagged", "fresh")
	s.wantPage(t, s.hostOf(two), "/tagged", "fresh")

	wantPage(t, s.sendRequest(t, http.MethodPost, s.hostOf(two), "/revalidate"), "1 revalidated")
	s.wantPage(t, s.hostOf(two), "/tagged", "stale")
	s.wantPage(t, s.hostOf(one), "/tagged", "fresh")

	must(t, s.Platform.Seed(t.Context(), two, noteTo(t)))
	s.wantPage(t, s.hostOf(two), "/tagged", "stale")
}

func externalMiddleware(t *testing.T, s *stand) {
	a, _ := s.liveApp(t, NewApp("one").Split("api", "api/*", "one-api").Middleware())
	for _, host := range []string{s.siteHost(), s.hostOf(a)} {
		s.wantPage(t, host, "/", "one")
		old := s.sendRequest(t, http.MethodGet, host, "/old")
		if old.status != http.StatusTemporaryRedirect || old.header.Get("Location") != "/new" {
			t.Errorf("the middleware answers %d to %q", old.status, old.header.Get("Location"))
		}
		// It leads to another function, before which it does not run again, and to a file.
		for _, path := range []string{"/api/runs", "/into/runs"} {
			s.wantPage(t, host, path, "one-api 1 "+host)
		}
		wantPage(t, s.sendRequest(t, http.MethodPost, host, "/into/name"), "one-api POST")
		wantPage(t, s.sendRequest(t, http.MethodGet, host, "/into/name", "X-Anchor-Routed", "1", "X-Anchor-Hosts", `{"api":"evil.example"}`), "one-api GET")
		s.wantPage(t, host, "/file", "public of one")
		if status, _ := s.askPage(t, host, "/into/nothing"); status != http.StatusNotFound {
			t.Errorf("a page that the other function has not is answered %d", status)
		}
	}
}

// middlewareFollows goes from one middleware to the next and back.
func middlewareFollows(t *testing.T, s *stand) {
	one, _ := s.liveApp(t, NewApp("one").Middleware())
	s.wantPage(t, s.siteHost(), "/file", "public of one")
	s.liveApp(t, NewApp("two"))
	if status, body := s.askPage(t, s.siteHost(), "/file"); status != http.StatusNotFound {
		t.Errorf("without middleware /file answers %d %q", status, body)
	}
	_, err := s.releases.Rollback(t.Context(), s.project.ID, one.Deployment.ID)
	must(t, err)
	s.wantPage(t, s.siteHost(), "/file", "public of one")
}

// clientHeaders sends what would lead an app, or its front, astray.
func clientHeaders(t *testing.T, s *stand) {
	one, _ := s.deployLive(t, "one")
	s.deployLive(t, "two")
	wantPage(t, s.sendRequest(t, http.MethodGet, s.siteHost(), "/host", "X-Forwarded-Host", "evil.example"), s.siteHost())
	wantPage(t, s.sendRequest(t, http.MethodGet, s.siteHost(), "/", "X-Anchor-Deployment", string(one.Deployment.ID)), "two")
	s.wantPage(t, s.siteHost(), "/secrets", "")
}

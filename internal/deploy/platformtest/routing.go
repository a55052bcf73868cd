package platformtest

import (
	"net/http"
	"testing"
)

func wantPage(t *testing.T, a answer, body string) {
	t.Helper()
	if a.status != http.StatusOK || a.body != body {
		t.Errorf("it answers %d %q, want %q", a.status, a.body, body)
	}
}

func splitFunction(t *testing.T, s *stand) {
	a, _ := s.liveApp(t, NewApp("one").Split("api", "api/*", "one-api"))
	for _, host := range []string{s.site(), s.hostOf(a)} {
		s.want(t, host, "/", "one")
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete} {
			wantPage(t, s.send(t, method, host, "/api/name"), "one-api "+method)
		}
		s.want(t, host, "/public.txt", "public of one")
	}
}

// splitFollows goes from an app with a split function to one without, to one with
// another, and back to the first.
func splitFollows(t *testing.T, s *stand) {
	first, _ := s.liveApp(t, NewApp("one").Split("api", "api/*", "one-api"))
	s.want(t, s.site(), "/api/name", "one-api GET")
	s.liveApp(t, NewApp("two"))
	s.want(t, s.site(), "/api/name", "two GET")
	s.liveApp(t, NewApp("three").Split("api", "api/*", "three-api").Split("v2", "v2/*", "three-v2"))
	s.want(t, s.site(), "/api/name", "three-api GET")
	_, err := s.releases.Rollback(t.Context(), s.project.ID, first.Deployment.ID)
	must(t, err)
	s.want(t, s.site(), "/api/name", "one-api GET")
	s.want(t, s.site(), "/", "one")
}

func images(t *testing.T, s *stand) {
	const picture = "/_next/image?url=%2Fa.png&w=64&q=75"
	one, _ := s.liveApp(t, NewApp("one").Images("one"))
	s.want(t, s.site(), picture, "one /a.png 64")
	s.liveApp(t, NewApp("two").Images("two"))
	s.want(t, s.site(), picture, "two /a.png 64")
	s.want(t, s.hostOf(one), picture, "one /a.png 64")
	_, err := s.releases.Rollback(t.Context(), s.project.ID, one.Deployment.ID)
	must(t, err)
	s.want(t, s.site(), picture, "one /a.png 64")
	s.want(t, s.site(), "/", "one")
}

func basePath(t *testing.T, s *stand) {
	one, _ := s.liveApp(t, NewAppUnder("one", "/docs"))
	s.liveApp(t, NewAppUnder("two", "/docs"))
	s.want(t, s.site(), "/docs", "two")
	s.want(t, s.site(), "/docs/", "two")
	s.want(t, s.site(), "/docs/public.txt", "public of two")
	s.want(t, s.site(), "/docs/_next/static/chunks/two.js", "chunk of two")
	s.want(t, s.site(), "/docs/_next/static/chunks/one.js", "chunk of one")
	s.want(t, s.hostOf(one), "/docs/public.txt", "public of one")
	for _, outside := range []string{"/", "/public.txt", "/_next/static/chunks/two.js"} {
		if status, body := s.ask(t, s.site(), outside); status != http.StatusNotFound {
			t.Errorf("%s is outside of the base path and answers %d %q", outside, status, body)
		}
	}
}

// tags revalidates a tag in one of two deployments of the same build.
func tags(t *testing.T, s *stand) {
	one := s.artifact(t, NewApp("one").Tagged())
	s.publish(t, one)
	two := s.artifact(t, NewApp("one").Tagged())
	s.publish(t, two)
	s.want(t, s.hostOf(one), "/tagged", "fresh")
	s.want(t, s.hostOf(two), "/tagged", "fresh")

	wantPage(t, s.send(t, http.MethodPost, s.hostOf(two), "/revalidate"), "1 revalidated")
	s.want(t, s.hostOf(two), "/tagged", "stale")
	s.want(t, s.hostOf(one), "/tagged", "fresh")

	must(t, s.Platform.Seed(t.Context(), two, note(t)))
	s.want(t, s.hostOf(two), "/tagged", "stale")
}

func externalMiddleware(t *testing.T, s *stand) {
	a, _ := s.liveApp(t, NewApp("one").Split("api", "api/*", "one-api").Middleware())
	for _, host := range []string{s.site(), s.hostOf(a)} {
		s.want(t, host, "/", "one")
		old := s.send(t, http.MethodGet, host, "/old")
		if old.status != http.StatusTemporaryRedirect || old.header.Get("Location") != "/new" {
			t.Errorf("the middleware answers %d to %q", old.status, old.header.Get("Location"))
		}
		// It leads to another function, before which it does not run again, and to a file.
		for _, path := range []string{"/api/runs", "/into/runs"} {
			s.want(t, host, path, "one-api 1 "+host)
		}
		wantPage(t, s.send(t, http.MethodPost, host, "/into/name"), "one-api POST")
		wantPage(t, s.send(t, http.MethodGet, host, "/into/name", "X-Anchor-Routed", "1", "X-Anchor-Hosts", `{"api":"evil.example"}`), "one-api GET")
		s.want(t, host, "/file", "public of one")
		if status, _ := s.ask(t, host, "/into/nothing"); status != http.StatusNotFound {
			t.Errorf("a page that the other function has not is answered %d", status)
		}
	}
}

// middlewareFollows goes from one middleware to the next and back.
func middlewareFollows(t *testing.T, s *stand) {
	one, _ := s.liveApp(t, NewApp("one").Middleware())
	s.want(t, s.site(), "/file", "public of one")
	s.liveApp(t, NewApp("two"))
	if status, body := s.ask(t, s.site(), "/file"); status != http.StatusNotFound {
		t.Errorf("without middleware /file answers %d %q", status, body)
	}
	_, err := s.releases.Rollback(t.Context(), s.project.ID, one.Deployment.ID)
	must(t, err)
	s.want(t, s.site(), "/file", "public of one")
}

// clientHeaders sends what would lead an app, or its front, astray.
func clientHeaders(t *testing.T, s *stand) {
	one, _ := s.live(t, "one")
	s.live(t, "two")
	wantPage(t, s.send(t, http.MethodGet, s.site(), "/host", "X-Forwarded-Host", "evil.example"), s.site())
	wantPage(t, s.send(t, http.MethodGet, s.site(), "/", "X-Anchor-Deployment", string(one.Deployment.ID)), "two")
	s.want(t, s.site(), "/secrets", "")
}

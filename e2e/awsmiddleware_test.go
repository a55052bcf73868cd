//go:build slow

package e2e

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestExternalMiddlewareOnAWS is TestPagesRouter for a user who moved to AWS: an
// external middleware before a server function and a split one, of an unmodified build.
func TestExternalMiddlewareOnAWS(t *testing.T) {
	t.Parallel()
	a := onAWS(t)
	first := a.deploy(guides, "docs")
	s := a.shop(t, first)

	// This is first: the first request for a stale page determines where it is rendered again,
	// and later ones have no effect for minutes (the queue drops repeated messages).
	t.Run("a page that the middleware rewrites is refreshed behind", func(t *testing.T) {
		at := func() string { return s.get("/docs/mw-rewrite/").want(t, 200).find(t, renderedAt) }
		before := at()
		time.Sleep(2500 * time.Millisecond) // the page revalidates after 2 s
		eventually(t, "it is rendered again", func() bool { return at() != before })
	})
	t.Run("function:live has the middleware, and each page is of its own function", func(t *testing.T) {
		server, api := a.invoker(t, "anchor-docs-server"), a.invoker(t, "anchor-docs-api")
		for _, c := range []struct {
			function   invoker
			path, says string
		}{
			{server, "/docs/mw-json/", `"from":"middleware"`},
			{server, "/docs/mw-rewrite/", "Four knots"},
			{server, "/docs/de/tide/", `data-locale="de"`},
			{api, "/docs/api/hello/", `"hello":`},
		} {
			p, err := c.function.get(t, c.path)
			if err != nil || p.Status != 200 || p.Header.Get("X-Middleware") != "1" || !strings.Contains(p.Body, c.says) {
				t.Errorf("%s of %s answers %d %v: %.300s (%v)", c.path, c.function.function, p.Status, p.Header, p.Body, err)
			}
		}
		server.secret = "guessed"
		if p, err := server.get(t, "/docs/mw-json/"); err != nil || p.Status != 403 {
			t.Errorf("an outsider is answered %d by the middleware (%v)", p.Status, err)
		}
	})
	t.Run("middleware answers, redirects, rewrites", func(t *testing.T) { externalMiddleware(t, s) })
	t.Run("languages", func(t *testing.T) { languages(t, s) })
	t.Run("the split function takes every method", func(t *testing.T) { splitFunction(t, s) })
	t.Run("data routes", func(t *testing.T) { dataRoutes(t, s) })
	t.Run("it is live with its deployment", func(t *testing.T) {
		second := a.deploy(middlewareSays(t, "the other one"), "docs")
		s.get("/docs/mw-json/").want(t, 200).has(t, `"from":"the other one"`)
		a.wantLive(t, "docs", second.DeploymentID)
		if _, errs, code := a.run("rollback", first.DeploymentID, "--project", "docs"); code != 0 {
			t.Fatalf("rollback ended with %d: %s", code, errs)
		}
		s.get("/docs/mw-json/").want(t, 200).has(t, `"from":"middleware"`)
		a.wantLive(t, "docs", first.DeploymentID)
	})
}

// middlewareSays returns the built guides with another middleware.
func middlewareSays(t *testing.T, text string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, ".open-next"), os.DirFS(filepath.Join(guides, ".open-next"))); err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, ".open-next", "middleware", "handler.mjs")
	code, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Replace(code, []byte(`from:"middleware"`), []byte(`from:"`+text+`"`), 1)
	if bytes.Equal(code, changed) {
		t.Fatal("the middleware of the built guides says nothing")
	}
	if err := os.WriteFile(name, changed, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const guides = "../examples/pages"

// TestPagesRouter is one deployment of the guides: the pages router under a base path
// with languages and trailing slashes, an external middleware, a split function, the
// buffered wrapper and the -lite overrides.
func TestPagesRouter(t *testing.T) {
	t.Parallel()
	a := up(t)
	a.deploy(guides, "docs")
	s := a.site(t, "docs")

	t.Run("pages carry their version", func(t *testing.T) {
		for _, path := range []string{"/docs/", "/docs/guides/knots/", "/docs/guides/lantern/", "/docs/tide/", "/docs/de/tide/"} {
			p := s.get(path).want(t, 200).header(t, "X-Storefront-Version", Label).header(t, "X-Middleware", "1")
			if got := p.find(t, versionMeta); got != Label {
				t.Errorf("%s has version %q", path, got)
			}
		}
	})
	t.Run("languages", func(t *testing.T) { languages(t, s) })
	t.Run("assets lie under the base path", func(t *testing.T) { basePathAssets(t, s) })
	t.Run("a page on request", func(t *testing.T) {
		p := s.get("/docs/tide/?a=1&b=two").want(t, 200).has(t, `data-host="`+s.host+`"`)
		p.has(t, `data-query="{&quot;a&quot;:&quot;1&quot;,&quot;b&quot;:&quot;two&quot;}"`)
		want := []string{"seen=tide; Path=/docs", "locale=en; Path=/docs"}
		if got := p.Header.Values("Set-Cookie"); !slices.Equal(got, want) {
			t.Errorf("the cookies are %q, want %q", got, want)
		}
	})
	t.Run("the split function takes every method", func(t *testing.T) { splitFunction(t, s) })
	t.Run("no header is invented", func(t *testing.T) { nothingInvented(t, s) })
	t.Run("the split function is a process of its own", func(t *testing.T) {
		var hello struct{ Hello, Version string }
		s.get("/docs/api/hello/?name=bosun").want(t, 200).json(t, &hello)
		if hello.Hello != "bosun" || hello.Version != Label {
			t.Errorf("answered %+v", hello)
		}
		var status struct{ Workers []struct{ Function string } }
		if code, err := a.call("GET", "/status", nil, &status); code != 200 || err != nil {
			t.Fatal(code, err)
		}
		for _, name := range []string{"default", "api"} {
			if !slices.ContainsFunc(status.Workers, func(w struct{ Function string }) bool { return w.Function == name }) {
				t.Errorf("no worker of function %s: %+v", name, status.Workers)
			}
		}
	})
	t.Run("middleware answers, redirects, rewrites", func(t *testing.T) { externalMiddleware(t, s) })
	t.Run("redirects, rewrites, trailing slash", func(t *testing.T) {
		for from, to := range map[string]string{"/docs": "/docs/", "/docs/tide": "/docs/tide/", "/docs/de/tide": "/docs/de/tide/", "/docs/old-guide/": "/docs/guides/knots"} {
			if got := location(t, s.get(from).want(t, 308).Header.Get("Location")); got != to {
				t.Errorf("%s leads to %q, want %q", from, got, to)
			}
		}
		s.get("/docs/manual/").want(t, 200).has(t, "Four knots")
	})
	t.Run("data routes", func(t *testing.T) { dataRoutes(t, s) })
	t.Run("images", func(t *testing.T) {
		image := "/docs/_next/image?w=640&q=75&url="
		s.get(image+"%2Fdocs%2Fknot.png", "Accept", "image/webp,*/*").want(t, 200).header(t, "Content-Type", "image/webp")
		s.get(image+"%2Fdocs%2Fno-such.png").want(t, 404)
		s.get(image+"http%3A%2F%2Fevil.example%2Fx.png").want(t, 400)
	})
	t.Run("not found and errors", func(t *testing.T) {
		s.get("/docs/nobody-wrote-this/").want(t, 404).has(t, "Not on the chart").has(t, Label)
		s.get("/docs/de/nobody-wrote-this/").want(t, 404).has(t, `data-locale="de"`)
		s.get("/docs/guides/nothing/").want(t, 404).has(t, "Not on the chart")
		s.get("/docs/api/nothing/").want(t, 404)
		s.get("/outside/").want(t, 404)
		s.get("/docs/boom/").want(t, 500).has(t, `data-status="500"`).has(t, Label)
	})
}

func languages(t *testing.T, s *site) {
	for path, locale := range map[string]string{
		"/docs/": "en", "/docs/de/": "de", "/docs/fr/": "fr",
		"/docs/guides/knots/": "en", "/docs/fr/guides/knots/": "fr", "/docs/de/guides/lantern/": "de", "/docs/de/tide/": "de",
	} {
		s.get(path).want(t, 200).has(t, `<html lang="`+locale+`"`).has(t, `data-locale="`+locale+`"`)
	}
}

func basePathAssets(t *testing.T, s *site) {
	chunks := chunkURL.FindAllString(s.get("/docs/").want(t, 200).Body, -1)
	if len(chunks) < 3 {
		t.Fatalf("found %d chunks only", len(chunks))
	}
	for _, c := range chunks {
		s.get("/docs"+c).want(t, 200).header(t, "Cache-Control", "public,max-age=31536000,immutable")
	}
	s.get(chunks[0]).want(t, 404)
	s.get("/docs/_next/static/nobody-has-this.js").want(t, 404)
	p := s.get("/docs/knot.png").want(t, 200).header(t, "Content-Type", "image/png").header(t, "Cache-Control", "public,max-age=0,must-revalidate")
	s.get("/docs/knot.png", "If-None-Match", p.Header.Get("ETag")).want(t, 304)
	s.get("/knot.png").want(t, 404)
}

func splitFunction(t *testing.T, s *site) {
	for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		body := "hello " + method
		if method == "GET" {
			body = ""
		}
		var echo struct {
			Method, URL, Sha256 string
			Headers             map[string]string
		}
		s.request(method, "/docs/api/echo/?q=1", strings.NewReader(body), "Content-Type", "text/plain", "X-Forwarded-Host", "evil.example").
			want(t, 200).header(t, "X-Middleware", "1").json(t, &echo)
		if echo.Method != method || echo.Sha256 != sha([]byte(body)) || echo.URL != "/api/echo/?q=1" {
			t.Errorf("%s arrived as %s %s with a body of digest %s", method, echo.Method, echo.URL, echo.Sha256)
		}
		if got := echo.Headers["x-forwarded-host"]; got != s.host {
			t.Errorf("x-forwarded-host is %q, want %q", got, s.host)
		}
	}
	s.request("GET", "/docs/api/echo/", nil).want(t, 200).header(t, "X-Opennext-Requestid", "")
	if p := s.request("HEAD", "/docs/api/echo/", nil).want(t, 200); p.Body != "" {
		t.Errorf("HEAD has a body: %q", p.Body)
	}
}

// nothingInvented asserts that the app sees the headers that the client sent. On aws, CloudFront
// reduces accept-encoding.
func nothingInvented(t *testing.T, s *site) {
	var plain struct{ Headers map[string]string }
	s.request("GET", "/docs/api/echo/", nil).want(t, 200).json(t, &plain)
	for _, invented := range []string{"content-length", "accept-encoding"} {
		if got, ok := plain.Headers[invented]; ok {
			t.Errorf("the app sees %s: %q, which the client did not send", invented, got)
		}
	}
	const accepted = "deflate, compress;q=0.5" // which the edge does not produce
	s.request("GET", "/docs/api/echo/", nil, "Accept-Encoding", accepted).want(t, 200).json(t, &plain)
	if got := plain.Headers["accept-encoding"]; got != accepted {
		t.Errorf("the app sees accept-encoding: %q, the client sent %q", got, accepted)
	}
}

func externalMiddleware(t *testing.T, s *site) {
	for path, locale := range map[string]string{"/docs/mw-json/": "en", "/docs/de/mw-json/": "de"} {
		var answer struct{ From, Locale, Version string }
		s.get(path).want(t, 200).json(t, &answer)
		if answer.From != "middleware" || answer.Locale != locale || answer.Version != Label {
			t.Errorf("%s answered %+v", path, answer)
		}
	}
	p := s.get("/docs/mw-redirect/").want(t, 307).header(t, "X-Middleware", "1")
	if to := location(t, p.Header.Get("Location")); to != "/docs/guides/knots/" {
		t.Errorf("the middleware redirects to %q", to)
	}
	s.get("/docs/mw-rewrite/").want(t, 200).has(t, "Four knots").header(t, "X-Middleware", "1")
	for name := range p.Header {
		if strings.HasPrefix(name, "X-Middleware-") || strings.HasPrefix(name, "X-Open-Next-") {
			t.Errorf("%s goes out to the visitor", name)
		}
	}
}

// dataRoutes requests what a click on a link fetches (_next/data).
func dataRoutes(t *testing.T, s *site) {
	id, err := os.ReadFile(filepath.Join(guides, ".open-next", "assets", "BUILD_ID"))
	if err != nil {
		t.Fatal(err)
	}
	data := "/docs/_next/data/" + url.PathEscape(strings.TrimSpace(string(id)))
	for path, want := range map[string]string{
		"/en.json": `"locale":"en"`, "/de/guides/knots.json": `"locale":"de"`, "/en/guides/note-3.json": "Note 3", "/en/tide.json?a=b": `"a":"b"`,
	} {
		s.get(data+path).want(t, 200).header(t, "Content-Type", "application/json; charset=utf-8").has(t, `"pageProps"`).has(t, want)
	}
	s.get(data+"/en/guides/nothing.json").want(t, 404)
	s.get("/docs/_next/data/another-build/en/tide.json").want(t, 404)
}

// TestPagesRouterCache covers getStaticProps with revalidate, through the -lite overrides.
func TestPagesRouterCache(t *testing.T) {
	t.Parallel()
	a := up(t)
	first := a.deploy(guides, "docs")
	s := a.site(t, "docs")
	at := func(path string) string { return s.get(path).want(t, 200).find(t, renderedAt) }

	for name, path := range map[string]string{
		"a built page":                        "/docs/guides/knots/",
		"a page rendered on demand":           "/docs/guides/lantern/",
		"a page of another language":          "/docs/de/guides/knots/",
		"a page that the middleware rewrites": "/docs/mw-rewrite/",
	} {
		t.Run(name+" is refreshed behind", func(t *testing.T) {
			before := at(path)
			eventually(t, path+" is rendered again", func() bool { return at(path) != before })
		})
	}
	t.Run("a page is revalidated on demand", func(t *testing.T) {
		before := at("/docs/de/")
		s.get("/docs/api/revalidate/?path=/docs/de/").want(t, 200).has(t, `"revalidated":"/docs/de/"`)
		if at("/docs/de/") == before {
			t.Error("it answered before the page was rendered again")
		}
		s.get("/docs/api/revalidate/?path=/docs/boom/").want(t, 500)
		// As with next start: with or without the slash that the site redirects to.
		for _, path := range []string{"/docs/de", "/docs/de?x=1", "/docs/de/guides/knots"} {
			page, _, _ := strings.Cut(path, "?")
			before := at(page + "/")
			s.get("/docs/api/revalidate/?path="+url.QueryEscape(path)).want(t, 200)
			if at(page+"/") == before {
				t.Errorf("%s was not rendered again", path)
			}
		}
		// A path that no page can have fails only its own request.
		for _, path := range []string{"/docs/a b/", "/docs/ü/", "/100%", "/docs/x\r\ny: z"} {
			s.get("/docs/api/revalidate/?path="+url.QueryEscape(path)).want(t, 500)
		}
	})
	t.Run("what need not be revalidated yet is not", func(t *testing.T) {
		if one, two := at("/docs/fr/"), at("/docs/fr/"); one != two {
			t.Errorf("rendered at %s, then %s", one, two)
		}
	})
	t.Run("a page that is not found may come to exist", func(t *testing.T) {
		s.get("/docs/guides/nothing/").want(t, 404)
		s.get("/docs/guides/nothing/").want(t, 404)
	})
	t.Run("a deployment has a cache of its own", func(t *testing.T) {
		a.deploy(guides, "docs")
		old := a.site(t, first.DeploymentID+"--docs")
		s.get("/docs/guides/note-77/").want(t, 200).header(t, "X-Nextjs-Cache", "MISS")
		old.get("/docs/guides/note-77/").want(t, 200).header(t, "X-Nextjs-Cache", "MISS")
	})
}

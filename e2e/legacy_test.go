package e2e

import "testing"

// TestLegacyLayout deploys a build of OpenNext 2: no open-next.output.json, a handler that
// returns before it begins to write, another cache.
func TestLegacyLayout(t *testing.T) {
	t.Parallel()
	a := up(t)
	app := t.TempDir()
	if err := linkTree("../examples/legacy/.open-next", app+"/.open-next"); err != nil {
		t.Fatal(err)
	}
	a.deploy(app, "legacy")
	s := a.site(t, "legacy")
	p := s.get("/shop").want(t, 200).has(t, "A page of the older layout")
	for _, c := range chunkURL.FindAllString(p.Body, -1) {
		s.get("/shop"+c).want(t, 200).header(t, "Cache-Control", "public,max-age=31536000,immutable")
	}
	first := p.find(t, renderedAt)
	eventually(t, "the page is rendered again", func() bool {
		return s.get("/shop").want(t, 200).find(t, renderedAt) != first
	})
	s.post("/shop/hello", "ahoy").want(t, 200).has(t, `"length":4`)
	s.get("/shop/hello.txt").want(t, 200).has(t, "hi")
	s.get("/shop/nobody-has-this").want(t, 404)
}

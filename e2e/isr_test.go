package e2e

import (
	"regexp"
	"strings"
	"testing"
)

var catalogue = regexp.MustCompile(`data-catalogue="([^"]+)"`)

// TestIncrementalCache checks time-based and on-demand revalidation, across a restart and a
// rollback.
func TestIncrementalCache(t *testing.T) {
	t.Parallel()
	a := up(t)
	first := a.deploy(variant(t, 1), "shop")
	s := a.site(t, "shop")
	slug := productSlug(s)

	t.Run("a stale page is served and refreshed behind", func(t *testing.T) {
		before := s.get("/products/"+slug).want(t, 200).find(t, renderedAt)
		eventually(t, "the page is rendered again", func() bool {
			return s.get("/products/"+slug).want(t, 200).find(t, renderedAt) != before
		})
	})
	t.Run("what is cached stays until its tag is revalidated", func(t *testing.T) {
		one := s.get("/tags").want(t, 200).find(t, catalogue)
		if two := s.get("/tags").want(t, 200).find(t, catalogue); one != two {
			t.Fatalf("unstable_cache gave %s, then %s", one, two)
		}
		s.post("/api/revalidate?tag=catalogue", "").want(t, 200)
		two := s.get("/tags").want(t, 200).find(t, catalogue)
		if one == two {
			t.Errorf("still %s after revalidateTag", two)
		}
		// In the same second too: rendering once is enough.
		if three := s.get("/tags").want(t, 200).find(t, catalogue); three != two {
			t.Errorf("%s was made again, as %s", two, three)
		}
	})
	t.Run("a page is rendered once after its tag's revalidation", func(t *testing.T) {
		// Next.js sends a page before it stores it: this one may be stored after the revalidation.
		one := s.get("/tags/static").want(t, 200).find(t, renderedAt)
		s.post("/api/revalidate?tag=catalogue", "").want(t, 200)
		two := s.get("/tags/static").want(t, 200).find(t, renderedAt)
		if one == two {
			t.Errorf("still of %s after revalidateTag", two)
		}
		for range 3 {
			if again := s.get("/tags/static").want(t, 200).find(t, renderedAt); again != two {
				t.Fatalf("rendered at %s, then at %s", two, again)
			}
		}
	})
	t.Run("revalidatePath renders a page again", func(t *testing.T) {
		before := s.get("/").want(t, 200).find(t, renderedAt)
		s.post("/api/revalidate?path=/", "").want(t, 200)
		eventually(t, "the home page is rendered again", func() bool {
			return s.get("/").want(t, 200).find(t, renderedAt) != before
		})
	})
	t.Run("draft mode", func(t *testing.T) {
		s.get("/draft").want(t, 200).has(t, `data-draft="false"`)
		cookie, _, _ := strings.Cut(s.get("/api/draft/enable").want(t, 307).Header.Get("Set-Cookie"), ";")
		s.get("/draft", "Cookie", cookie).want(t, 200).has(t, `data-draft="true"`)
		s.get("/draft").want(t, 200).has(t, `data-draft="false"`)
	})

	kept := s.get("/tags").want(t, 200).find(t, catalogue)
	t.Run("entries survive a restart", func(t *testing.T) {
		a.stop()
		a.start()
		if got := s.get("/tags").want(t, 200).find(t, catalogue); got != kept {
			t.Errorf("after a restart %s, before %s", got, kept)
		}
	})
	t.Run("every deployment has a namespace of its own, and a rollback brings its back", func(t *testing.T) {
		a.deploy(variant(t, 2), "shop")
		if got := s.get("/tags").want(t, 200).find(t, catalogue); got == kept {
			t.Errorf("the new deployment reads the old one's cache")
		}
		if _, errs, code := a.run("rollback", first.DeploymentID, "--project", "shop", "--json"); code != 0 {
			t.Fatal(errs)
		}
		if got := s.get("/tags").want(t, 200).find(t, catalogue); got != kept {
			t.Errorf("after the rollback %s, before %s", got, kept)
		}
	})
}

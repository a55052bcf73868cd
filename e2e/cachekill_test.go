//go:build slow

package e2e

import (
	"encoding/json"
	"strings"
	"testing"
)

// onDisk returns how many answers of all projects are on disk.
func (a *anchor) onDisk(t *testing.T) (entries int) {
	t.Helper()
	var stats struct{ Disk struct{ Entries int } }
	out, errs, code := a.run("cache", "stats", "--project", "shop", "--json")
	if code != 0 || json.Unmarshal([]byte(out), &stats) != nil {
		t.Fatalf("%d %s%s", code, out, errs)
	}
	return stats.Disk.Entries
}

// TestKillKeepsTheCache ends the server with SIGKILL when its cache is warm. The next one finds what
// was on disk, and nothing that a purge or a revalidation had removed.
func TestKillKeepsTheCache(t *testing.T) {
	t.Parallel()
	a := up(t)
	a.deploy(narrowMiddleware(t, variant(t, 1)), "shop")
	s := a.site(t, "shop")
	paths := []string{"/about", "/tags/static", "/about?utm=1"}
	warm := func() (bodies []string) {
		for _, path := range paths {
			s.get(path).want(t, 200)
			bodies = append(bodies, s.get(path).want(t, 200).hit(t, true).Body)
		}
		eventually(t, "the answers are on disk", func() bool { return a.onDisk(t) >= len(paths) })
		return bodies
	}
	restart := func() {
		a.kill()
		a.start()
		s = a.site(t, "shop")
	}

	bodies := warm()
	restart()
	for i, path := range paths {
		p := s.get(path).want(t, 200).hit(t, true)
		if p.Body != bodies[i] || !strings.Contains(p.Header.Get("Cache-Status"), "detail=disk") {
			t.Errorf("%s: another page, or from elsewhere: %s", path, p.Header.Get("Cache-Status"))
		}
		s.get(path).want(t, 200).hit(t, true)
	}
	out, errs, code := a.run("cache", "ls", "--project", "shop", "--prefix", "/about")
	if code != 0 || strings.Count(out, "http://") != 2 {
		t.Errorf("%d %s%s", code, out, errs)
	}

	if _, errs, code := a.run("cache", "purge", "--project", "shop", "--url", "/about"); code != 0 {
		t.Fatal(errs)
	}
	restart()
	s.get("/about").want(t, 200).hit(t, false)
	s.get("/tags/static").want(t, 200).hit(t, true)

	bodies = warm()
	s.post("/api/revalidate?tag=catalogue", "").want(t, 200)
	restart()
	if p := s.get("/tags/static").want(t, 200); p.Body == bodies[1] {
		t.Error("a page that was revalidated before the kill is back")
	}
}

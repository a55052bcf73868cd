package errorgroup

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

const (
	shop  = anchor.ProjectID("01jaaaaaaaaaaaaaaaaaaaaaaa")
	other = anchor.ProjectID("01jbbbbbbbbbbbbbbbbbbbbbbb")
	one   = anchor.DeploymentID("01jccccccccccccccccccccccc")
	two   = anchor.DeploymentID("01jddddddddddddddddddddddd")
)

func openStore(t *testing.T, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func line(d anchor.DeploymentID, at int64, text string) anchor.LogLine {
	return anchor.LogLine{Time: at, DeploymentID: d, Function: "default", Level: "error", Text: text}
}

func (s *Store) list(t *testing.T, p anchor.ProjectID, d anchor.DeploymentID) []anchor.ErrorGroup {
	t.Helper()
	groups, err := s.List(t.Context(), p, d, 100)
	must(t, err)
	return groups
}

// TestMarkOf: lines of one row are one group, and rows differ from each other.
func TestMarkOf(t *testing.T) {
	stack := func(message, file string) string {
		return message + "\n    at node:internal/process:95:5\n    at order (/app/node_modules/x/index.js:1:1)\n    at " + file
	}
	rows := [][]string{
		{"user 17 has no cart", "user 18 has no cart"},
		{"no stock of 3f2504e0-4f89-11d3-9a0c-0305e82c3301", "no stock of 01JABCDEFGHJKMNPQRSTVWXYZ0"},
		{"fetch https://a.example/1?x=1 failed", "fetch https://b.example/ failed"},
		{"connect ECONNREFUSED 10.0.0.1:5432", "connect ECONNREFUSED 10.0.0.2:5433"},
		{stack("TypeError: x is not a function", "page (/app/page-0a1b2c3d4e5f.js:10:20)"), stack("TypeError: x is not a function", "page (/app/page-ffffffffffff.js:99:1)"),
			stack("\x1b[31mTypeError: x is not a function\x1b[0m", "page (file:///app/page-ffffffffffff.js:99:1)")},
		{stack("TypeError: x is not a function", "/app/cart.js:10:20")},
		{"TypeError: x is not a function"},
		{""},
	}
	seen := map[string]int{}
	for i, row := range rows {
		for _, text := range row {
			l := line(one, 1, text)
			id := markOf(&l).id
			if before, ok := seen[id]; ok && before != i {
				t.Errorf("%q is in one group with row %d", text, before)
			}
			seen[id] = i
		}
	}
	if len(seen) != len(rows) {
		t.Errorf("%d groups of %d rows", len(seen), len(rows))
	}
	l := line(one, 1, rows[4][0])
	if m := markOf(&l); m.title != "TypeError: x is not a function" || m.location != "page (page-0a1b2c3d4e5f.js:10)" {
		t.Errorf("%+v", m)
	}
	for _, fields := range []map[string]any{{"stack": rows[4][0]}, {"err": map[string]any{"type": "TypeError", "stack": rows[4][0]}}} {
		l = line(one, 1, "it failed")
		l.Fields = fields
		if m := markOf(&l); m.location != "page (page-0a1b2c3d4e5f.js:10)" {
			t.Errorf("%v: %+v", fields, m)
		}
	}
	l = line(one, 1, strings.Repeat("ä", maxTitle))
	if m := markOf(&l); len(m.title) > maxTitle+5 || strings.ToValidUTF8(m.title, "") != m.title {
		t.Errorf("the title is %q", m.title)
	}
}

func TestStore_CountsByDeployment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "errors.db")
	s, err := Open(t.Context(), path, slog.New(slog.DiscardHandler))
	must(t, err)
	s.Add(shop, line(one, 10, "boom 1"))
	s.Add(shop, line(one, 30, "boom 2"))
	s.Add(other, line(one, 30, "boom 2"))
	quiet := line(one, 30, "boom 2")
	quiet.Level = "warn"
	s.Add(shop, quiet)
	must(t, s.flush(t.Context()))
	s.Add(shop, line(two, 20, "boom 3"))
	s.Add(shop, line(two, 25, "crash"))
	must(t, s.Close())

	s = openStore(t, path)
	groups := s.list(t, shop, "")
	if len(groups) != 2 || groups[0].Title != "boom 3" && groups[0].Title != "boom 2" {
		t.Fatalf("%+v", groups)
	}
	boom := groups[0]
	want := []anchor.ErrorCount{{DeploymentID: two, Count: 1, First: 20, Last: 20}, {DeploymentID: one, Count: 2, First: 10, Last: 30}}
	if boom.Count != 3 || boom.First != 10 || boom.Last != 30 || fmt.Sprint(boom.Deployments) != fmt.Sprint(want) {
		t.Errorf("%+v", boom)
	}
	if got := s.list(t, shop, one); len(got) != 1 || got[0].ID != boom.ID {
		t.Errorf("of the first deployment: %+v", got)
	}
	got, err := s.Get(t.Context(), shop, boom.ID)
	must(t, err)
	if got.Sample.Text != boom.Sample.Text {
		t.Errorf("%+v", got)
	}
	if _, err := s.Get(t.Context(), shop, "0000"); anchor.KindOf(err) != anchor.KindNotFound {
		t.Errorf("an unknown group: %v", err)
	}
	must(t, s.RemoveProject(t.Context(), shop))
	if left := s.list(t, shop, ""); len(left) != 0 {
		t.Errorf("left: %+v", left)
	}
	if left := s.list(t, other, ""); len(left) != 1 {
		t.Errorf("another project has %+v", left)
	}
}

// TestStore_IsBounded: an app whose errors are all different, from as many deployments, fills neither memory nor disk.
func TestStore_IsBounded(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "errors.db"))
	letters := func(n int) string {
		return strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprintf("%06d", n))
	}
	for i := range 3 * MaxGroups {
		s.Add(shop, line(one, int64(i), "error "+letters(i)))
		if i%100 == 99 {
			must(t, s.flush(t.Context()))
		}
	}
	groups, err := s.List(t.Context(), shop, "", 10*MaxGroups)
	must(t, err)
	if len(groups) != MaxGroups || groups[0].Title != "error "+letters(3*MaxGroups-1) {
		t.Errorf("%d groups, the first is %q", len(groups), groups[0].Title)
	}
	var orphans int
	must(t, s.db.QueryRow(`SELECT count(*) FROM counts`).Scan(&orphans))
	if orphans != MaxGroups {
		t.Errorf("%d counts of %d groups", orphans, MaxGroups)
	}
	for i := range 3 * maxCounts {
		s.Add(other, line(anchor.DeploymentID(fmt.Sprintf("01j%023d", i)), 1, "same"))
	}
	if got := s.list(t, other, ""); len(got) != 1 || len(got[0].Deployments) != maxCounts || got[0].Count != 3*maxCounts {
		t.Errorf("%d deployments, %d errors", len(got[0].Deployments), got[0].Count)
	}
	big := line(one, 1, "big "+strings.Repeat("x", 1<<20))
	big.Fields = map[string]any{"more": strings.Repeat("x", 1<<20)}
	third := anchor.ProjectID("01jeeeeeeeeeeeeeeeeeeeeeee")
	s.Add(third, big)
	if got := s.list(t, third, "")[0].Sample; len(got.Text) > maxSample+8 || got.Fields != nil {
		t.Errorf("the sample has %d octets", len(got.Text))
	}
	missed := s.Missed()
	for range 2 * perFlush {
		s.Add(third, line(one, 1, "flood"))
	}
	if s.Missed() == missed {
		t.Error("a flood was read to its end")
	}
}

func TestStore_ReportsWhatAppeared(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "errors.db"))
	var got []string
	s.OnAppear(func(p anchor.ProjectID, g anchor.ErrorGroup) { got = append(got, string(p)+g.Title) })
	for range 2 {
		s.Add(shop, line(one, 1, "boom"))
		must(t, s.flush(t.Context()))
	}
	s.Add(shop, line(two, 2, "crash"))
	must(t, s.flush(t.Context()))
	if fmt.Sprint(got) != fmt.Sprint([]string{string(shop) + "boom", string(shop) + "crash"}) {
		t.Errorf("appeared: %q", got)
	}
}

func TestOpen_SetsADamagedFileAside(t *testing.T) {
	path := filepath.Join(t.TempDir(), "errors.db")
	must(t, os.WriteFile(path, []byte(strings.Repeat("not SQLite ", 1000)), 0o600))
	s := openStore(t, path)
	s.Add(shop, line(one, 1, "boom"))
	if got := s.list(t, shop, ""); len(got) != 1 {
		t.Errorf("%+v", got)
	}
	if _, err := os.Stat(path + ".damaged"); err != nil {
		t.Error(err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

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

// sources is an Original of two builds of the same source, whose bundles have nothing in common but the name of the file.
func sources(d anchor.DeploymentID, function, file string, line, column int) (string, string, int, int, bool) {
	type place struct {
		file         string
		line, column int
	}
	if function != "default" {
		return "", "", 0, 0, false
	}
	at, ok := map[anchor.DeploymentID]map[place]struct {
		source, name string
		line         int
	}{
		one: {{"/d/one/page.js", 1, 100}: {"lib/stock.ts", "", 7}, {"/d/one/page.js", 1, 50}: {"app/page.tsx", "takeStock", 3}, {"/d/one/page.js", 1, 300}: {"lib/price.ts", "", 9}},
		two: {{"/d/two/page.js", 1, 900}: {"lib/stock.ts", "", 8}, {"/d/two/page.js", 1, 80}: {"app/page.tsx", "takeStock", 3}},
	}[d][place{file, line, column}]
	return at.source, at.name, at.line, 1, ok
}

func TestStore_GroupsBySource(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "errors.db"))
	s.UseSources(sources)
	stack := func(frames ...string) string { return "Error: no stock\n    at " + strings.Join(frames, "\n    at ") }
	s.Add(shop, line(one, 1, stack("i (/d/one/page.js:1:100)", "async a (file:///d/one/page.js:1:50)")))
	s.Add(shop, line(two, 2, stack("r (/d/two/page.js:1:900)", "async z (/d/two/page.js:1:80)")))
	s.Add(shop, line(one, 3, stack("i (/d/one/page.js:1:300)")))
	pino := line(one, 4, "it failed")
	pino.Fields = map[string]any{"err": map[string]any{"stack": stack("i (/d/one/page.js:1:100)", "a (/d/one/page.js:1:50)")}}
	s.Add(shop, pino)
	s.Add(shop, line(one, 5, stack("i (/d/one/unknown.js:1:300)")))
	all := map[string]anchor.ErrorGroup{}
	for _, g := range s.list(t, shop, "") {
		all[g.Location] = g
	}
	same := all["takeStock (lib/stock.ts:7)"]
	if len(all) != 3 || same.Count != 3 || len(same.Deployments) != 2 || all["(lib/price.ts:9)"].Count != 1 || all["i (unknown.js:1)"].Count != 1 {
		t.Fatalf("%+v", all)
	}
	if err, _ := same.Sample.Fields["err"].(map[string]any); !strings.Contains(fmt.Sprint(err["stack"]), "at takeStock (lib/stock.ts:7:1)\n    at app/page.tsx:3:1") {
		t.Errorf("the sample is %+v", same.Sample)
	}
	if stack := fmt.Sprint(pino.Fields); strings.Contains(stack, "stock.ts") {
		t.Errorf("the caller's line has changed: %s", stack)
	}
}

// TestStore_AsksForASourceOnce: errors of one place ask the source map once between two writes.
func TestStore_AsksForASourceOnce(t *testing.T) {
	s := openStore(t, filepath.Join(t.TempDir(), "errors.db"))
	asked := 0
	s.UseSources(func(anchor.DeploymentID, string, string, int, int) (string, string, int, int, bool) {
		asked++
		return "app/page.tsx", "", 1, 1, true
	})
	for i := range 1000 {
		s.Add(shop, line(one, int64(i), fmt.Sprintf("order %d failed\n    at i (/d/page.js:1:1)", i)))
	}
	if asked != 0 {
		t.Errorf("Add has asked %d times", asked)
	}
	if got := s.list(t, shop, ""); len(got) != 1 || got[0].Count != 1000 || asked > 3 {
		t.Errorf("%+v, asked %d times", got, asked)
	}
}

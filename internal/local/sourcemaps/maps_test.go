package sourcemaps

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// golden is the map of a bundle that Next.js 15.5 has built with serverSourceMaps, cut to two of its sources.
const golden = "testdata/route.js.map"

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// thrown is where the bundle's stack begins: lib/stock.js throws.
var thrown = Position{File: "app/route.js", Line: 8, Column: 18286}

func checkOriginals(t *testing.T, dir string) {
	t.Helper()
	m := &Maps{}
	for range 2 {
		if got, ok := m.Original(dir, thrown); !ok || got.File != "lib/stock.js" || got.Line != 7 || got.Name != "Error" {
			t.Errorf("the error comes from %+v, %v", got, ok)
		}
	}
	if _, ok := m.Original(dir, Position{File: thrown.File, Line: 1 << 20, Column: 1}); ok {
		t.Error("a line that the file does not have comes from a source")
	}
}

func TestOriginal_BesideTheFile(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(golden)
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, "app"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "app/route.js.map"), text, 0o600))
	checkOriginals(t, dir)
}

func TestOriginal_InTheFile(t *testing.T) {
	dir := t.TempDir()
	text, err := os.ReadFile(golden)
	must(t, err)
	must(t, os.Mkdir(filepath.Join(dir, "app"), 0o755))
	file := "code();\n//# sourceMappingURL=data:application/json;charset=utf-8;base64," + base64.StdEncoding.EncodeToString(text) + "\n"
	must(t, os.WriteFile(filepath.Join(dir, "app/route.js"), []byte(file), 0o600))
	checkOriginals(t, dir)
}

// TestOriginal_ReadsNothingElse: an app prints what it wants as the name of a file.
func TestOriginal_ReadsNothingElse(t *testing.T) {
	outside, dir := t.TempDir(), t.TempDir()
	text, err := os.ReadFile(golden)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(outside, "route.js.map"), text, 0o600))
	must(t, os.Symlink(filepath.Join(outside, "route.js.map"), filepath.Join(dir, "link.js.map")))
	must(t, os.Mkdir(filepath.Join(dir, "folder.js.map"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "bad.js.map"), []byte(`{"version":3,"mappings":"!"`), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "plain.js"), []byte("code()"), 0o600))
	large, err := os.Create(filepath.Join(dir, "large.js.map"))
	must(t, err)
	must(t, large.Truncate(maxFile+1))
	must(t, large.Close())
	must(t, os.WriteFile(filepath.Join(dir, "long.js.map"), fmt.Appendf(nil, `{"version":3,"sources":["a"],"mappings":%q}`, strings.Repeat("AAAA,", maxMappings/5+1)), 0o600))
	m := &Maps{}
	relative, err := filepath.Rel(dir, filepath.Join(outside, "route.js"))
	must(t, err)
	for _, name := range []string{relative, filepath.Join(outside, "route.js"), "link.js", "folder.js", "bad.js", "plain.js", "large.js", "long.js", "none.js", "", "."} {
		if got, ok := m.Original(dir, Position{File: name, Line: thrown.Line, Column: thrown.Column}); ok {
			t.Errorf("%q comes from %+v", name, got)
		}
	}
	if _, ok := m.Original(filepath.Join(dir, "none"), thrown); ok {
		t.Error("a folder that does not exist has maps")
	}
}

func TestMaps_KeepAFew(t *testing.T) {
	dir := t.TempDir()
	m := &Maps{}
	for i := range 3 * maxKept {
		m.Original(dir, Position{File: fmt.Sprint(i), Line: 1, Column: 1})
	}
	if len(m.kept) != maxKept {
		t.Errorf("%d maps are kept", len(m.kept))
	}
	most := strings.Repeat("AAAA,", maxMappings/10+1) // two do not fit
	for i := range 3 {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprint("m", i, ".js.map")), fmt.Appendf(nil, `{"version":3,"sources":["a"],"mappings":%q}`, most), 0o600))
		m.Original(dir, Position{File: fmt.Sprint("m", i, ".js"), Line: 1, Column: 1})
	}
	large := 0
	for _, e := range m.kept {
		if e.size > 0 {
			large++
		}
	}
	if large != 1 {
		t.Errorf("%d large maps are kept", large)
	}
}

func TestSourceName(t *testing.T) {
	for from, want := range map[string]string{
		"webpack://shop/./lib/stock.js": "lib/stock.js", "webpack://_N_E/./app/page.tsx?1a2b": "app/page.tsx", "webpack:///lib/a.js": "lib/a.js",
		"turbopack:///[project]/app/page.tsx": "app/page.tsx", "../../../../lib/a.ts": "lib/a.ts", "webpack://shop/./.config/a.ts": ".config/a.ts", "webpack://shop/../../packages/ui/a.ts": "packages/ui/a.ts",
		"file:///srv/app/a.ts": "srv/app/a.ts",
	} {
		if got := sourceName(from); got != want {
			t.Errorf("%s is %s, want %s", from, got, want)
		}
	}
}

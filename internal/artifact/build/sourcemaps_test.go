package build_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

func TestBuilder_Build_KeepsSourceMapsOnRequest(t *testing.T) {
	for config, want := range map[string]string{
		`{"config":{"experimental":{"serverSourceMaps":true}}}`: "a map", `{"config":{"experimental":{}}}`: "", `{}`: "", `no JSON`: "",
	} {
		dir := t.TempDir()
		secret := filepath.Join(t.TempDir(), "secret")
		writeFiles(t, filepath.Dir(secret), map[string]string{"secret": "x"})
		const function = ".open-next/server-functions/default/packages/web/.next/server/"
		writeFiles(t, dir, map[string]string{
			"package.json": `{"dependencies":{"next":"15.1.0"}}`, ".next/required-server-files.json": config,
			".next/server/app/page.js.map": "a map", ".next/server/app/other.js.map": "not of this function", ".next/server/kept.js.map": "new", ".next/server/app/x.js": "",
			function + "app/page.js": "", function + "app/none.js": "", function + "app/link.js": "", function + "kept.js": "", function + "kept.js.map": "old",
		})
		if err := os.Symlink(secret, filepath.Join(dir, ".next/server/app/link.js.map")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := builds(t, dir, build.Builder{}, t.TempDir(), `["4.1.16"]`); err != nil {
			t.Fatal(err)
		}
		read := func(name string) string {
			text, _ := os.ReadFile(filepath.Join(dir, function, name)) // "" for none
			return string(text)
		}
		if got := read("app/page.js.map"); got != want {
			t.Errorf("%s: the map beside the function's file is %q, want %q", config, got, want)
		}
		if read("kept.js.map") != "old" || read("app/other.js.map") != "" || read("app/link.js.map") != "" || read("app/none.js.map") != "" {
			t.Errorf("%s: maps were replaced, or appeared without a file", config)
		}
	}
}

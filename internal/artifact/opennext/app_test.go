package opennext_test

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

func TestFindApp(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{
		"package.json":                              `{"name":"shop","scripts":{"build":"next build"},"dependencies":{"next":"^15.0.0"},"devDependencies":{"@opennextjs/aws":"^4.1.0"}}`,
		"next.config.mjs":                           "",
		"open-next.config.ts":                       "",
		"package-lock.json":                         "{}",
		"node_modules/next/package.json":            `{"version":"15.5.29"}`,
		"node_modules/@opennextjs/aws/package.json": `{"version":"4.1.12"}`,
		".open-next/open-next.output.json":          "{}",
	})
	app, err := opennext.FindApp(dir)
	must(t, err)
	want := opennext.App{
		Dir: dir, Root: dir, Top: "/", PackageManager: "npm", Lockfiles: []string{"package-lock.json"},
		NextVersion: "15.5.29", OpenNextVersion: "4.1.12",
		OpenNextConfig: "open-next.config.ts",
	}
	if diff := cmp.Diff(want, app); diff != "" {
		t.Errorf("the app differs (-want +got):\n%s", diff)
	}
}

func TestFindApp_Monorepo(t *testing.T) {
	for lockfile, manager := range map[string]string{
		"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lock": "bun", "bun.lockb": "bun", "package-lock.json": "npm",
	} {
		root := t.TempDir()
		writeFiles(t, root, map[string]string{
			lockfile:                         "",
			"package.json":                   `{"dependencies":{"next":"15.1.0"}}`,
			"node_modules/next/package.json": `{"version":"15.1.0"}`,
			"apps/web/package.json":          `{"name":"@shop/web"}`,
			"apps/web/next.config.js":        "",
		})
		app, err := opennext.FindApp(filepath.Join(root, "apps/web"))
		must(t, err)
		if app.Root != root || app.PackageManager != manager || app.NextVersion != "15.1.0" {
			t.Errorf("with %s: %+v", lockfile, app)
		}
		if app.OpenNextVersion != "" {
			t.Errorf("finds an OpenNext that is not there: %+v", app)
		}
	}
}

func TestFindAppBelow_ReadsNothingAboveTop(t *testing.T) {
	outside := t.TempDir()
	writeFiles(t, outside, map[string]string{
		"pnpm-lock.yaml":                        "",
		"node_modules/next/package.json":        `{"version":"13.0.0"}`,
		"repository/package.json":               `{}`,
		"repository/apps/web/package.json":      `{"dependencies":{"next":"15.1.0"}}`,
		"repository/apps/web/package-lock.json": `{}`,
	})
	top := filepath.Join(outside, "repository")
	app, err := opennext.FindAppBelow(top, filepath.Join(top, "apps/web"))
	must(t, err)
	if app.Root != app.Dir || app.PackageManager != "npm" || app.NextVersion != "15.1.0" {
		t.Errorf("the app is %+v", app)
	}
	for _, folder := range app.Folders() {
		if folder == outside {
			t.Errorf("looks for modules in %q", app.Folders())
		}
	}
}

func TestFindApp_ReturnsRequestedVersionBeforeInstall(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"^15.0.0","open-next":"2.3.9"}}`})
	app, err := opennext.FindApp(dir)
	must(t, err)
	if app.NextVersion != "^15.0.0" || app.OpenNextVersion != "2.3.9" {
		t.Errorf("got %+v", app)
	}
}

func TestFindApp_Refuses(t *testing.T) {
	for code, files := range map[string]map[string]string{
		"no_package_json":  {"index.html": ""},
		"bad_package_json": {"package.json": "{"},
		"no_nextjs":        {"package.json": `{"dependencies":{"vite":"5"}}`},
		"file_too_large":   {"package.json": string(make([]byte, 9<<20))},
	} {
		t.Run(code, func(t *testing.T) {
			dir := t.TempDir()
			writeFiles(t, dir, files)
			_, err := opennext.FindApp(dir)
			wantCode(t, err, code)
		})
	}
	_, err := opennext.FindApp(filepath.Join(t.TempDir(), "gone"))
	wantCode(t, err, "no_folder")
}

package opennext

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// App is a Next.js app on the disk of who deploys it.
type App struct {
	Dir  string // absolute
	Root string // where the lockfile is: Dir, or the monorepo's root above it
	Top  string // no folder above this one belongs to the app: usually "/"

	PackageManager  string   // "npm", "pnpm", "yarn" or "bun"; npm when nothing says which
	PackagerVersion string   // that packageManager of package.json asks for, or ""
	Lockfiles       []string // names of those in Root

	NextVersion     string // as installed, else as package.json asks for it
	OpenNextVersion string // of @opennextjs/aws or open-next, likewise; "" when neither is there
	OpenNextConfig  string // file name, or ""
}

// packageJSON is the part of npm's package.json that is read here.
type packageJSON struct {
	Version      string            `json:"version"`
	Packager     string            `json:"packageManager"`
	Workspaces   json.RawMessage   `json:"workspaces"`
	Dependencies map[string]string `json:"dependencies"`
	Dev          map[string]string `json:"devDependencies"`
}

// NextConfigs are the names of the configuration of Next.js (next, shared/lib/constants.js, CONFIG_FILES; .cts
// and .cjs are read by OpenNext only).
var NextConfigs = []string{"next.config.js", "next.config.mjs", "next.config.ts", "next.config.mts", "next.config.cjs", "next.config.cts"}

// FindApp reads which app is in dir. The error is Invalid when there is none, or not one of
// Next.js.
func FindApp(dir string) (App, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return App{}, unreadableError(dir, err)
	}
	return FindAppBelow(filepath.VolumeName(dir)+string(filepath.Separator), dir)
}

// FindAppBelow is FindApp for an app in somebody else's repository: dir is top or a folder below
// it, both absolute, and nothing above top is read.
func FindAppBelow(top, dir string) (App, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return App{}, anchor.Invalid("no_folder", "%s is not a folder", dir).Because(err).
			Hintf("Pass the folder of your Next.js app.")
	}
	manifest, err := readPackage(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return App{}, anchor.Invalid("no_package_json", "there is no package.json in %s", dir).
			Hintf("Run this command in the folder of your Next.js app, or pass that folder.")
	}
	if err != nil {
		return App{}, err
	}
	app := App{Dir: dir, Top: top}
	app.findPackager()
	app.OpenNextConfig = firstFile(dir, "open-next.config.ts", "open-next.config.js", "open-next.config.mjs")
	if app.NextVersion = app.versionOf(manifest, "next"); app.NextVersion == "" {
		return App{}, anchor.Invalid("no_nextjs", "the app in %s does not depend on Next.js", dir).
			Hintf("Run this command in the folder of your Next.js app. In a monorepo this is the folder of the app, such as apps/web.")
	}
	for _, name := range []string{"@opennextjs/aws", "open-next"} {
		if app.OpenNextVersion == "" {
			app.OpenNextVersion = app.versionOf(manifest, name)
		}
	}
	return app, nil
}

// versionOf returns the installed version of a package of the app, or the version that the app
// requires, or "". An app with a next.config may leave the requirement to its monorepo's root.
func (a App) versionOf(manifest packageJSON, name string) string {
	asked := manifest.Dependencies[name]
	if asked == "" {
		asked = manifest.Dev[name]
	}
	hasConfig := firstFile(a.Dir, NextConfigs...) != ""
	if asked == "" && !hasConfig {
		return ""
	}
	for _, at := range a.Folders() {
		installed, err := readPackage(filepath.Join(at, "node_modules", filepath.FromSlash(name)))
		if err == nil && installed.Version != "" {
			return installed.Version
		}
	}
	return asked
}

// Folders returns the app's folder and those above it, up to Top: Node.js looks for modules in
// them.
func (a App) Folders() []string {
	folders := []string{a.Dir}
	for at := a.Dir; at != a.Top && at != filepath.Dir(at); {
		at = filepath.Dir(at)
		folders = append(folders, at)
	}
	return folders
}

func readPackage(dir string) (packageJSON, error) {
	data, err := readFile(os.DirFS(dir), "package.json", maxOutput)
	if err != nil {
		return packageJSON{}, err
	}
	var manifest packageJSON
	if err := json.Unmarshal(data, &manifest); err != nil {
		return packageJSON{}, anchor.Invalid("bad_package_json", "%s cannot be read", filepath.Join(dir, "package.json")).
			Because(err).Hintf("Correct the file.")
	}
	return manifest, nil
}

func firstFile(dir string, names ...string) string {
	for _, name := range names {
		if isFile(os.DirFS(dir), name) {
			return name
		}
	}
	return ""
}

// AppsBelow returns the folders below top, at most three levels down, that contain a Next.js app,
// relative to top.
func AppsBelow(top string) (apps []string) {
	for _, pattern := range []string{"*", "*/*", "*/*/*"} {
		found, err := filepath.Glob(filepath.Join(top, pattern, "package.json"))
		if err != nil {
			return apps
		}
		for _, name := range found {
			dir := filepath.Dir(name)
			folder, err := filepath.Rel(top, dir)
			if err != nil || slices.ContainsFunc(strings.Split(folder, string(filepath.Separator)), notSource) {
				continue
			}
			if _, err := FindAppBelow(top, dir); err == nil {
				apps = append(apps, filepath.ToSlash(folder))
			}
		}
	}
	return apps
}

// notSource reports whether a folder of this name contains what programs wrote.
func notSource(name string) bool { return name == "node_modules" || strings.HasPrefix(name, ".") }

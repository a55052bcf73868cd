package opennext

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// lockfiles are in the order of findPackagerAndRoot (build/helper.js): bun also writes
// yarn's.
var lockfiles = []struct{ file, manager string }{
	{"bun.lockb", "bun"}, {"bun.lock", "bun"}, {"package-lock.json", "npm"},
	{"yarn.lock", "yarn"}, {"pnpm-lock.yaml", "pnpm"},
}

// ManagerOf returns the package manager that writes a lockfile of this name, or "".
func ManagerOf(lockfile string) string {
	for _, lock := range lockfiles {
		if lock.file == lockfile {
			return lock.manager
		}
	}
	return ""
}

// findPackager sets which package manager installs the app, and where. The root is the nearest folder
// with a lockfile, as for OpenNext, else the nearest root of workspaces. The manager is the nearest
// packageManager of a package.json up to there, else that of the lockfile.
func (a *App) findPackager() {
	asked, workspaces, manager := "", "", ""
	for _, at := range a.Folders() {
		manifest, err := readPackage(at)
		if err == nil && asked == "" {
			asked = manifest.Packager
		}
		for _, lock := range lockfiles {
			if isFile(os.DirFS(at), lock.file) {
				a.Lockfiles = append(a.Lockfiles, lock.file)
			}
		}
		if len(a.Lockfiles) > 0 {
			a.Root = at
			break
		}
		if workspaces != "" {
			continue
		}
		if isFile(os.DirFS(at), "pnpm-workspace.yaml") {
			workspaces, manager = at, "pnpm"
		} else if err == nil && len(manifest.Workspaces) > 0 {
			workspaces = at
		}
	}
	if a.Root == "" {
		a.Root = a.Dir
		if workspaces != "" {
			a.Root = workspaces
		}
	} else {
		manager = ManagerOf(a.Lockfiles[0])
	}
	name, version, _ := strings.Cut(asked, "@")
	version, _, _ = strings.Cut(version, "+") // of a digest
	switch {
	case slices.Contains([]string{"npm", "pnpm", "yarn", "bun"}, name):
		a.PackageManager, a.PackagerVersion = name, version
	case manager != "":
		a.PackageManager = manager
	default:
		a.PackageManager = "npm"
	}
}

// Lockfile returns the path of the lockfile that the package manager of the app reads, or "".
func (a App) Lockfile() string {
	for _, name := range a.Lockfiles {
		if ManagerOf(name) == a.PackageManager {
			return filepath.Join(a.Root, name)
		}
	}
	return ""
}

// CheckLockfile refuses lockfiles of which it is not clear what they install: those of two package
// managers, that of another one than package.json asks for, none where the manager needs one.
func (a App) CheckLockfile() error {
	if len(a.Lockfiles) == 0 {
		if a.PackageManager == "npm" {
			return nil // npm install writes one
		}
		return anchor.Invalid("no_lockfile", "there is no lockfile of %s in %s", a.PackageManager, a.Root).
			Hintf("Run %s install there, and commit the lockfile that it writes.", a.PackageManager)
	}
	if a.Lockfile() == "" {
		return anchor.Invalid("other_lockfile", "the packageManager of package.json is %s, but the lockfile in %s is %s", a.PackageManager, a.Root, a.Lockfiles[0]).
			Hintf("Run %s install there and commit its lockfile instead, or change packageManager to %s.", a.PackageManager, ManagerOf(a.Lockfiles[0]))
	}
	for _, name := range a.Lockfiles {
		other := ManagerOf(name)
		// bun install --yarn writes both.
		if a.PackagerVersion != "" || other == a.PackageManager || a.PackageManager == "bun" && other == "yarn" {
			continue
		}
		return anchor.Invalid("two_lockfiles", "there are lockfiles of two package managers in %s: %s", a.Root, strings.Join(a.Lockfiles, ", ")).
			Hintf("Remove those that are not in use, or set packageManager in package.json.")
	}
	return nil
}

package opennext

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// native is a compiled module of a package in a bundle.
type native struct {
	path     string
	pkg      string // with its family's name: "sharp" for @img/sharp-linux-x64
	fits     bool
	machines []machine
}

// CheckNative refuses a tree with a package whose compiled modules cannot be loaded on a
// machine. Mostly that is sharp, which OpenNext installs for linux-arm64 by default. goos and
// goarch are Go's names; "linuxmusl" is Linux with musl (see HostOS). A package may bring
// modules for several machines; one that fits is enough.
//
// It also refuses an image function without sharp: OpenNext's build continues when npm could
// not install it (installDeps.js).
func CheckNative(tree fs.FS, goos, goarch string) error {
	here := machineOf(goos, goarch)
	bundles, err := bundleDirs(tree)
	if err != nil {
		return err
	}
	for _, bundle := range bundles {
		if err := checkBundle(tree, bundle, here); err != nil {
			return err
		}
	}
	return nil
}

// HostOS returns goos, or "linuxmusl" where this machine's programs are linked to musl.
func HostOS(goos string) string {
	if loaders, err := filepath.Glob("/lib/ld-musl-*.so.1"); goos != "linux" || err != nil || len(loaders) == 0 {
		return goos
	}
	if loaders, err := filepath.Glob("/lib*/ld-linux-*.so.*"); err == nil && len(loaders) > 0 {
		return goos
	}
	return "linuxmusl"
}

// bundleDirs returns the folders of the functions that a machine would run.
func bundleDirs(tree fs.FS) ([]string, error) {
	var dirs []string
	for _, dir := range []string{imageDir, serverDirV2, middlewareDir} {
		if isFolder(tree, dir) {
			dirs = append(dirs, dir)
		}
	}
	entries, err := fs.ReadDir(tree, serversDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, unreadableError(serversDir, err)
	}
	for _, entry := range entries {
		if entry.IsDir() {
			dirs = append(dirs, path.Join(serversDir, entry.Name()))
		}
	}
	return dirs, nil
}

func checkBundle(tree fs.FS, bundle string, here machine) error {
	modules := map[string][]native{}
	hasWasm := map[string]bool{}
	err := fs.WalkDir(tree, bundle, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == "sharp-wasm32" {
			hasWasm["sharp"] = true
		}
		if !strings.HasSuffix(name, ".node") || !entry.Type().IsRegular() {
			return nil
		}
		module, err := readNative(tree, name, here)
		if err == nil && module.machines != nil {
			modules[module.pkg] = append(modules[module.pkg], module)
		}
		return err
	})
	if err != nil {
		return unreadableError(bundle, err)
	}
	if bundle == imageDir && len(modules["sharp"]) == 0 && !hasWasm["sharp"] {
		return noSharp(here)
	}
	for _, pkg := range slices.Sorted(maps.Keys(modules)) {
		// fsevents is for macOS by its nature, and its users load it only there.
		if pkg == "fsevents" || hasWasm[pkg] || slices.ContainsFunc(modules[pkg], func(n native) bool { return n.fits }) {
			continue
		}
		return findMisfit(tree, bundle, pkg, modules[pkg], here)
	}
	return nil
}

func readNative(tree fs.FS, name string, here machine) (native, error) {
	file, err := tree.Open(name)
	if err != nil {
		return native{}, err
	}
	defer file.Close()
	header := make([]byte, headerLen)
	n, err := io.ReadFull(file, header)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return native{}, err
	}
	pkg, _ := packageOf(name)
	machines := builtFor(name, header[:n])
	return native{path: name, pkg: packageFamily(pkg), machines: machines, fits: slices.Contains(machines, here)}, nil
}

func noSharp(here machine) error {
	return anchor.Invalid("sharp_missing", "sharp is missing from the image function's bundle (%s)", imageDir).
		Hintf("OpenNext's build could not install it and continued without it. Set this in open-next.config.ts, and build again:\n%s",
			installLines(imageDir, "sharp@"+knownSharp, here))
}

func findMisfit(tree fs.FS, bundle, pkg string, modules []native, here machine) error {
	var machines []string
	for _, module := range modules {
		for _, m := range module.machines {
			machines = append(machines, m.String())
		}
	}
	slices.Sort(machines)
	machines = slices.Compact(machines)
	return anchor.Invalid("native_mismatch", "%s in %s is built for %s, and this machine is %s",
		pkg, bundle, strings.Join(machines, " and "), here).
		Hintf("Set this in open-next.config.ts, and build again:\n%s",
			installLines(bundle, pkg+"@"+versionOf(tree, modules[0], pkg), here))
}

// knownSharp is a version whose binaries come from the npm registry. Versions before 0.33
// download theirs from elsewhere, by default for the machine that builds.
const knownSharp = "0.34.5"

// versionOf returns the version of a package, from itself or from its part for a platform.
func versionOf(tree fs.FS, module native, pkg string) string {
	own, folder := packageOf(module.path)
	homes := []string{folder}
	if own != pkg {
		homes = append(homes, path.Join(folder[:len(folder)-len(own)], pkg))
	}
	for i := len(homes) - 1; i >= 0; i-- {
		var manifest struct{ Version string }
		data, err := readFile(tree, path.Join(homes[i], "package.json"), maxOutput)
		if err != nil || json.Unmarshal(data, &manifest) != nil || manifest.Version == "" {
			continue
		}
		if pkg == "sharp" && (strings.HasPrefix(manifest.Version, "0.2") || strings.HasPrefix(manifest.Version, "0.30.") ||
			strings.HasPrefix(manifest.Version, "0.31.") || strings.HasPrefix(manifest.Version, "0.32.")) {
			return knownSharp
		}
		return manifest.Version
	}
	if pkg == "sharp" {
		return knownSharp
	}
	return "latest"
}

// installLines are those of open-next.config.ts that install a package for a machine
// (InstallOptions in types/open-next.d.ts).
func installLines(bundle, pkg string, here machine) string {
	system, libc := here.os, ""
	switch here.os {
	case "linux":
		libc = `, libc: "glibc"`
	case "linuxmusl":
		system, libc = "linux", `, libc: "musl"`
	}
	install := fmt.Sprintf("install: { packages: [%q], os: %q, arch: %q%s }", pkg, system, here.arch, libc)
	switch name := path.Base(bundle); {
	case bundle == imageDir:
		return fmt.Sprintf("  imageOptimization: {\n    %s,\n  },", install)
	case bundle == serverDirV2:
		return fmt.Sprintf("  default: {\n    %s,\n  },\nThis needs @opennextjs/aws 3 or later.", install)
	case bundle == anchor.MiddlewareFunction, name == anchor.ServerFunction:
		return fmt.Sprintf("  %s: {\n    %s,\n  },", name, install)
	default:
		return fmt.Sprintf("  functions: {\n    %s: {\n      %s,\n    },\n  },", name, install)
	}
}

package build

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// sharpPackage optimizes images in apps without an open-next.config.
const sharpPackage = "sharp@0.34.5"

const configName = "open-next.config.mjs"

// config returns the path of the configuration that OpenNext has to be passed; without it
// OpenNext finds only open-next.config.ts.
func (b *Builder) config() (string, error) {
	if b.App.OpenNextConfig != "" && b.Settings.BuildCommand != "" {
		return "", anchor.Invalid("bad_settings", "%s sets buildCommand, which has no effect in an app with %s", SettingsName, b.App.OpenNextConfig).
			Hintf("Set buildCommand in %s instead.", b.App.OpenNextConfig)
	}
	switch b.App.OpenNextConfig {
	case "":
		return writeConfig(b.App.Dir, b.Settings.BuildCommand, b.Target)
	case "open-next.config.ts":
		return "", nil
	}
	return b.App.OpenNextConfig, nil
}

// writeConfig writes the open-next.config of an app that has none: answers stream,
// and sharp fits the target. Its path is relative to dir, as OpenNext joins it.
func writeConfig(dir, buildCommand string, target Target) (string, error) {
	if target == (Target{}) {
		target = ThisMachine()
	}
	libc := ""
	if target.Libc != "" {
		libc = fmt.Sprintf(", libc: %q", target.Libc)
	}
	command := ""
	if buildCommand != "" {
		quoted, err := json.Marshal(buildCommand)
		if err != nil {
			return "", fmt.Errorf("write OpenNext's configuration: %w", err)
		}
		command = "  buildCommand: " + string(quoted) + ",\n"
	}
	config := fmt.Sprintf(`export default {
  default: { override: { wrapper: "aws-lambda-streaming" } },
  imageOptimization: { install: { packages: [%q], arch: %q, os: %q%s } },
%s};
`, sharpPackage, target.Arch, target.OS, libc, command)
	err := InState(dir, func(state *os.Root) error {
		return state.WriteFile(configName, []byte(config), 0o644)
	})
	if err != nil {
		return "", fmt.Errorf("write OpenNext's configuration: %w", err)
	}
	return filepath.Join(StateDir, configName), nil
}

// removeConfig removes the file of writeConfig. A file that stays does no harm.
func removeConfig(dir string) {
	_ = InState(dir, func(state *os.Root) error { return state.Remove(configName) })
}

// Target is the machine that a build is for, in the names of Node.js (process.platform, process.arch)
// and npm (libc).
type Target struct {
	OS   string // "linux", "darwin", "win32"
	Arch string // "x64", "arm64"
	Libc string // "glibc" or "musl" on Linux, else ""
}

// ThisMachine is the Target of builds for the machine that runs this program.
func ThisMachine() Target {
	t := Target{OS: runtime.GOOS, Arch: runtime.GOARCH}
	if t.Arch == "amd64" {
		t.Arch = "x64"
	}
	switch {
	case t.OS == "windows":
		t.OS = "win32"
	case opennext.HostOS(runtime.GOOS) == "linuxmusl":
		t.Libc = "musl"
	case t.OS == "linux":
		t.Libc = "glibc"
	}
	return t
}

// nextConfigName is written for apps without a next.config, which Next.js does not need and OpenNext
// does (build/helper.js, checkRunningInsideNextjsApp).
const nextConfigName = "next.config.mjs"

// writeNextConfig writes an empty next.config for an app that has none.
func writeNextConfig(dir string) (written bool, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return false, fmt.Errorf("open the app's folder: %w", err)
	}
	defer root.Close()
	for _, name := range opennext.NextConfigs {
		if _, err := root.Lstat(name); err == nil {
			return false, nil
		}
	}
	file, err := root.OpenFile(nextConfigName, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = file.WriteString("// Written by Anchor for the build, and removed after it.\nexport default {};\n")
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return false, fmt.Errorf("write a next.config for the build: %w", err)
	}
	return true, nil
}

// removeNextConfig removes the file of writeNextConfig. A file that stays does no harm.
func removeNextConfig(dir string) {
	if root, err := os.OpenRoot(dir); err == nil {
		_ = root.Remove(nextConfigName)
		root.Close()
	}
}

// ignoreTree makes git ignore the build, whatever the repository ignores. A build that git sees does no
// other harm. What the build may have put in the place of the file is removed, never written to.
func ignoreTree(dir string) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return
	}
	defer root.Close()
	if info, err := root.Lstat(TreeName); err != nil || !info.IsDir() {
		return
	}
	name := TreeName + "/.gitignore"
	_ = root.RemoveAll(name)
	if file, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644); err == nil {
		_, _ = file.WriteString("*\n")
		file.Close()
	}
}

package build

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/anchor-deploy/anchor/internal/anchor"
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
		return writeConfig(b.App.Dir, b.Settings.BuildCommand)
	case "open-next.config.ts":
		return "", nil
	}
	return b.App.OpenNextConfig, nil
}

// writeConfig writes the open-next.config of an app that has none: answers stream,
// and sharp fits this machine. Its path is relative to dir, as OpenNext joins it.
func writeConfig(dir, buildCommand string) (string, error) {
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
`, sharpPackage, nodeArch(), nodeOS(), nodeLibc(), command)
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

// Node.js's names for this machine (process.arch, process.platform).
func nodeArch() string {
	if runtime.GOARCH == "amd64" {
		return "x64"
	}
	return runtime.GOARCH
}

func nodeOS() string {
	if runtime.GOOS == "windows" {
		return "win32"
	}
	return runtime.GOOS
}

func nodeLibc() string {
	if runtime.GOOS != "linux" {
		return ""
	}
	if found, err := filepath.Glob("/lib/ld-musl-*"); err == nil && len(found) > 0 {
		return `, libc: "musl"`
	}
	return `, libc: "glibc"`
}

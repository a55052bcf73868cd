package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// What an app is built with that names nothing itself. Both were tried together.
const (
	openNextPackage = "@opennextjs/aws@4.1.12"
	sharpPackage    = "sharp@0.34.5"
)

// builder makes the .open-next tree of an app.
type builder struct {
	app      opennext.App
	log      *buildLog
	progress *progress
	env      []string
}

// build installs what is missing, runs OpenNext and returns the tree.
func (s *shell) build(ctx context.Context, app opennext.App, vars map[string]string, p *progress) (string, error) {
	log, err := openBuildLog(app.Dir, p.say)
	if err != nil {
		return "", err
	}
	defer log.file.Close()
	b := &builder{app: app, log: log, progress: p, env: buildEnv(vars)}
	err = b.install(ctx)
	if err == nil {
		err = b.openNext(ctx)
	}
	if err != nil {
		p.failed()
		if !s.json && ctx.Err() == nil {
			log.show(s.Err)
		}
		return "", err
	}
	return findTree(app.Dir)
}

// buildEnv returns this process's environment with the project's variables. NODE_ENV would make
// package managers omit what builds need; a build must not see Anchor's token.
func buildEnv(vars map[string]string) []string {
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if _, replaced := vars[name]; replaced || name == "NODE_ENV" || name == "ANCHOR_TOKEN" {
			continue
		}
		env = append(env, entry)
	}
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return append(env, "NEXT_TELEMETRY_DISABLED=1")
}

func (b *builder) install(ctx context.Context) error {
	if above(b.app.Dir, "node_modules", "next") != "" {
		return nil
	}
	b.progress.begin("Install")
	if err := b.log.run(ctx, b.app.Root, b.env, installCommand(b.app)...); err != nil {
		return err
	}
	b.progress.done("install", b.app.PackageManager)
	return nil
}

func installCommand(app opennext.App) []string {
	switch app.PackageManager {
	case "pnpm":
		return []string{"pnpm", "install", "--frozen-lockfile"}
	case "yarn":
		return []string{"yarn", "install", "--frozen-lockfile"}
	case "bun":
		return []string{"bun", "install", "--frozen-lockfile"}
	}
	if _, err := os.Stat(filepath.Join(app.Root, "package-lock.json")); err != nil {
		return []string{"npm", "install", "--no-audit", "--no-fund"}
	}
	return []string{"npm", "ci", "--no-audit", "--no-fund"}
}

func (b *builder) openNext(ctx context.Context) error {
	b.progress.begin("Build")
	command := []string{"npx", "--yes", openNextPackage, "build"}
	if above(b.app.Dir, "node_modules", ".bin", "open-next") != "" {
		command = []string{"npx", "--no-install", "open-next", "build"}
	}
	config, err := b.config()
	if err != nil {
		return err
	}
	if config != "" {
		command = append(command, "--config-path", config)
	}
	if b.app.OpenNextConfig == "" {
		defer os.Remove(filepath.Join(b.app.Dir, config)) // left behind it does no harm
	}
	if err := b.log.run(ctx, b.app.Dir, b.env, command...); err != nil {
		return err
	}
	b.progress.done("build", "Next.js "+b.app.NextVersion)
	return nil
}

// config returns the path of the configuration that OpenNext has to be passed; without it
// OpenNext finds only open-next.config.ts.
func (b *builder) config() (string, error) {
	switch b.app.OpenNextConfig {
	case "":
		return writeConfig(b.app.Dir)
	case "open-next.config.ts":
		return "", nil
	}
	return b.app.OpenNextConfig, nil
}

// writeConfig writes the open-next.config of an app that has none: answers stream,
// and sharp fits this machine. Its path is relative to dir, as OpenNext joins it.
func writeConfig(dir string) (string, error) {
	name := filepath.Join(stateDir, "open-next.config.mjs")
	config := fmt.Sprintf(`export default {
  default: { override: { wrapper: "aws-lambda-streaming" } },
  imageOptimization: { install: { packages: [%q], arch: %q, os: %q%s } },
};
`, sharpPackage, nodeArch(), nodeOS(), nodeLibc())
	err := inState(dir, func(state *os.Root) error {
		return state.WriteFile(filepath.Base(name), []byte(config), 0o644)
	})
	if err != nil {
		return "", fmt.Errorf("write OpenNext's configuration: %w", err)
	}
	return name, nil
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

// above finds a path in dir or the nearest folder above it, as Node.js resolves modules; ""
// when there is none.
func above(dir string, path ...string) string {
	for ; ; dir = filepath.Dir(dir) {
		name := filepath.Join(append([]string{dir}, path...)...)
		if _, err := os.Stat(name); err == nil {
			return name
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
	}
}

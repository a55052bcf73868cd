package build

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// addPackager makes the package manager of the app available to the commands of the build: the version
// that package.json asks for, else the one of this machine, else one that reads the lockfile.
func (b *Builder) addPackager(ctx context.Context) error {
	spec := b.packagerPackage()
	if spec == "" {
		return nil
	}
	return b.addTool(ctx, spec, b.App.PackageManager)
}

// addTool installs an npm package that contains a program, unless it is installed already, and lets
// the commands find its programs first.
func (b *Builder) addTool(ctx context.Context, spec, program string) error {
	if b.Tools == "" {
		return fmt.Errorf("install %s: the build has no folder for it", spec)
	}
	dir := filepath.Join(b.Tools, folderOfTool.Replace(strings.TrimPrefix(spec, "@")))
	bin := filepath.Join(dir, "node_modules", ".bin")
	if _, err := os.Stat(filepath.Join(bin, program)); err != nil {
		b.Progress.Begin("Tools")
		if err := b.run(ctx, b.App.Root, "npm", "install", "--prefix", dir, "--no-audit", "--no-fund", "--no-package-lock", spec); err != nil {
			return err
		}
		b.Progress.Done(stepTools, spec)
	}
	b.prependPath(bin)
	return nil
}

// folderOfTool makes the name of a folder of that of a package with a version, or a range of versions.
var folderOfTool = strings.NewReplacer("/", "+", "@", "-", " ", "_", "|", "or", "<", "lt", ">", "gt", "*", "x")

// packagerPackage returns the npm package that contains the app's package manager, "" when it is there
// already. It is not Corepack that runs it: Corepack refuses registries that sign nothing, as
// companies' own ones, and Node.js 25 and newer do not contain it.
func (b *Builder) packagerPackage() string {
	manager, version := b.App.PackageManager, b.App.PackagerVersion
	if manager == "npm" || version == "" && b.hasProgram(manager) {
		return ""
	}
	switch manager {
	case "bun":
		return "bun@" + cmp.Or(version, "1")
	case "pnpm":
		return "pnpm@" + cmp.Or(version, b.pnpmVersion())
	}
	if b.isBerry() {
		return "@yarnpkg/cli-dist@" + cmp.Or(version, "4")
	}
	return "yarn@" + cmp.Or(version, "1")
}

// pnpmVersion returns the major version of pnpm that writes lockfiles like the app's.
func (b *Builder) pnpmVersion() string {
	switch first := b.firstLine("lockfileVersion:"); {
	case strings.Contains(first, "6."):
		return "8"
	case strings.Contains(first, "5."):
		return "7"
	}
	return "9"
}

// isBerry reports whether the app is installed by yarn 2 or newer.
func (b *Builder) isBerry() bool {
	if version := b.App.PackagerVersion; version != "" {
		return !strings.HasPrefix(version, "1.")
	}
	return b.firstLine("__metadata:") != ""
}

// checkLinker refuses Yarn's Plug'n'Play, which installs no node_modules: OpenNext copies what an app needs from there. It
// is what Yarn does unless it is told otherwise (Yarn, "Configuration options", nodeLinker).
func (b *Builder) checkLinker() error {
	if b.App.PackageManager != "yarn" || !b.isBerry() {
		return nil
	}
	linker := variable(b.Env, "YARN_NODE_LINKER")
	for _, dir := range b.App.Folders() {
		for line := range strings.Lines(string(readSmall(dir, ".yarnrc.yml"))) {
			if value, found := strings.CutPrefix(line, "nodeLinker:"); found && linker == "" {
				linker = strings.Trim(strings.TrimSpace(value), `"'`)
			}
		}
	}
	if linker == "" || linker == "pnp" {
		return anchor.Invalid("yarn_pnp", "Yarn installs with Plug'n'Play in %s, and OpenNext needs node_modules", b.App.Root).
			Hintf("Add the line nodeLinker: node-modules to .yarnrc.yml, run yarn install and commit both.")
	}
	return nil
}

// firstLine returns the first line of the lockfile that begins with prefix, "" when there is none.
func (b *Builder) firstLine(prefix string) string {
	file, err := os.Open(b.App.Lockfile())
	if err != nil {
		return ""
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for n := 0; n < 50 && lines.Scan(); n++ {
		if strings.HasPrefix(lines.Text(), prefix) {
			return lines.Text()
		}
	}
	return ""
}

// hasProgram reports whether the commands of the build find a program.
func (b *Builder) hasProgram(name string) bool {
	return filepath.IsAbs(Command{Args: []string{name}, Env: b.Env}.Program())
}

// Program returns the path of the command's program, which is looked for in the PATH of its own
// environment, or its bare name when it is not there.
func (c Command) Program() string {
	for _, dir := range filepath.SplitList(variable(c.Env, "PATH")) {
		if path, err := exec.LookPath(filepath.Join(dir, c.Args[0])); err == nil && filepath.IsAbs(dir) {
			return path
		}
	}
	return c.Args[0]
}

// variable returns the value of a variable in an environment; the last one counts.
func variable(env []string, name string) (value string) {
	for _, entry := range env {
		if v, ok := strings.CutPrefix(entry, name+"="); ok {
			value = v
		}
	}
	return value
}

// prependPath lets the commands find the programs in dir first.
func (b *Builder) prependPath(dir string) {
	path := dir
	if old := variable(b.Env, "PATH"); old != "" {
		path += string(filepath.ListSeparator) + old
	}
	// Of two variables of one name programs take the first, and Go the last.
	env := slices.DeleteFunc(slices.Clone(b.Env), func(entry string) bool { return strings.HasPrefix(entry, "PATH=") })
	env = append(env, "PATH="+path)
	b.Env = env
}

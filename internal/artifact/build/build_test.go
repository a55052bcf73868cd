package build_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

func writeFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// steps records what a build reports.
type steps []string

func (s *steps) Begin(label string)       { *s = append(*s, "begin "+label) }
func (s *steps) Done(step, detail string) { *s = append(*s, "done "+step+" "+detail) }

// builds runs a build of the app in dir whose commands do nothing but write what OpenNext would, and
// returns them. Programs are those in the folder bin. The registry has the versions of OpenNext, as JSON.
func builds(t *testing.T, dir string, b build.Builder, bin, versions string) (ran []string, tree string, err error) {
	t.Helper()
	if b.App, err = opennext.FindAppBelow(b.App.Top, dir); err != nil {
		t.Fatal(err)
	}
	b.Env, b.Progress, b.Tools = []string{"A=1", "PATH=" + bin}, &steps{}, "/tools"
	b.Run = func(_ context.Context, c build.Command) error {
		if c.Dir != dir && c.Dir != b.App.Root || c.Env[0] != "A=1" {
			t.Errorf("ran %q in %s with %q", c.Args, c.Dir, c.Env)
		}
		if c.Out != nil && c.Args[0] == "node" {
			versions := "v20.19.1\n"
			_, err := io.WriteString(c.Out, versions)
			return err
		}
		if c.Out != nil {
			_, err := io.WriteString(c.Out, versions)
			return err
		}
		ran = append(ran, strings.Join(c.Args, " "))
		if slices.Contains(c.Args, "build") {
			if _, err := os.Stat(filepath.Join(dir, "next.config.mjs")); err != nil {
				t.Errorf("OpenNext refuses an app without a next.config: %v", err)
			}
			writeFiles(t, dir, map[string]string{".open-next/open-next.output.json": "{}"})
		}
		return nil
	}
	tree, err = b.Build(t.Context())
	return ran, tree, err
}

const openNextBuild = "npx --yes @opennextjs/aws@4.1.16 build --config-path .anchor/open-next.config.mjs"

func TestBuilder_Build_RunsTheCommandsThatTheAppNeeds(t *testing.T) {
	const asksPnpm = `{"packageManager":"pnpm@9.15.9+sha512.abc","dependencies":{"next":"15.1.0"}}`
	for name, test := range map[string]struct {
		files    map[string]string
		settings build.Settings
		programs string // that there are
		want     []string
	}{
		"npm with a lockfile": {
			files: map[string]string{"package-lock.json": "{}"},
			want:  []string{"npm ci --no-audit --no-fund", openNextBuild},
		},
		"npm without one": {
			want: []string{"npm install --no-audit --no-fund", openNextBuild},
		},
		"a command of its own": {
			settings: build.Settings{InstallCommand: "npm ci --ignore-scripts"},
			want:     []string{"sh -c npm ci --ignore-scripts", openNextBuild},
		},
		"pnpm": {
			files:    map[string]string{"pnpm-lock.yaml": "", "open-next.config.ts": ""},
			programs: "pnpm",
			want:     []string{"pnpm install --frozen-lockfile", "npx --yes @opennextjs/aws@4.1.16 build"},
		},
		"pnpm, which this machine lacks": {
			files: map[string]string{"pnpm-lock.yaml": "lockfileVersion: '6.0'\n"},
			want: []string{
				"npm install --prefix /tools/pnpm-8 --no-audit --no-fund --no-package-lock pnpm@8", "pnpm install --frozen-lockfile", openNextBuild,
			},
		},
		"the version of pnpm that package.json asks for": {
			files:    map[string]string{"pnpm-lock.yaml": "", "package-lock.json": "", "package.json": asksPnpm},
			programs: "pnpm",
			want: []string{
				"npm install --prefix /tools/pnpm-9.15.9 --no-audit --no-fund --no-package-lock pnpm@9.15.9", "pnpm install --frozen-lockfile", openNextBuild,
			},
		},
		"yarn 1": {
			files: map[string]string{"yarn.lock": "# yarn lockfile v1\n"},
			want: []string{
				"npm install --prefix /tools/yarn-1 --no-audit --no-fund --no-package-lock yarn@1", "yarn install --frozen-lockfile", openNextBuild,
			},
		},
		"yarn 4": {
			files: map[string]string{"yarn.lock": "# This file is generated\n\n__metadata:\n  version: 8\n", ".yarnrc.yml": "nodeLinker: node-modules\n"},
			want: []string{
				"npm install --prefix /tools/yarnpkg+cli-dist-4 --no-audit --no-fund --no-package-lock @yarnpkg/cli-dist@4", "yarn install --immutable", openNextBuild,
			},
		},
		"bun, which also writes the lockfile of yarn": {
			files:    map[string]string{"yarn.lock": "", "bun.lock": ""},
			programs: "bun",
			want:     []string{"bun install --frozen-lockfile", openNextBuild},
		},
		"another version of Node.js": {
			settings: build.Settings{NodeVersion: "22"},
			want: []string{
				"npm install --prefix /tools/node-22 --no-audit --no-fund --no-package-lock node@22", "npm install --no-audit --no-fund", openNextBuild,
			},
		},
		"the version of Node.js of .nvmrc": {
			files: map[string]string{".nvmrc": "# of the team\nv22.11.0\n", ".node-version": "18", "package.json": `{"dependencies":{"next":"15.1.0"},"engines":{"node":">=24"}}`},
			want: []string{
				"npm install --prefix /tools/node-22.11.0 --no-audit --no-fund --no-package-lock node@22.11.0", "npm install --no-audit --no-fund", openNextBuild,
			},
		},
		"a name of nvm": {
			files: map[string]string{".nvmrc": "lts/jod", "package.json": `{"dependencies":{"next":"15.1.0"}}`},
			want:  []string{"npm install --prefix /tools/node-22 --no-audit --no-fund --no-package-lock node@22", "npm install --no-audit --no-fund", openNextBuild},
		},
		"a name that stands for no version, and the range of package.json": {
			files: map[string]string{".nvmrc": "lts/*", "package.json": `{"dependencies":{"next":"15.1.0"},"engines":{"node":">=22 <25"}}`},
			want: []string{
				"npm install --prefix /tools/node-gt=22_lt25 --no-audit --no-fund --no-package-lock node@>=22 <25", "npm install --no-audit --no-fund", openNextBuild,
			},
		},
		"a range that the version that there is meets": {
			files: map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"},"engines":{"node":"^18.17 || >=20"}}`},
			want:  []string{"npm install --no-audit --no-fund", openNextBuild},
		},
		"engines that are no range": {
			files: map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"},"engines":{"node":"; rm -rf /"}}`},
			want:  []string{"npm install --no-audit --no-fund", openNextBuild},
		},
		"the version of Node.js that there is": {
			settings: build.Settings{NodeVersion: "20"},
			want:     []string{"npm install --no-audit --no-fund", openNextBuild},
		},
		"installed, with OpenNext": {
			files: map[string]string{"node_modules/next/package.json": "{}", "node_modules/.bin/open-next": "", "open-next.config.mjs": ""},
			want:  []string{"npx --no-install open-next build --config-path open-next.config.mjs"},
		},
		"installed, but not what package.json asks for": {
			files: map[string]string{
				"node_modules/next/package.json": "{}", "package.json": `{"dependencies":{"next":"15.1.0"},"devDependencies":{"@a/b":"1"}}`,
			},
			want: []string{"npm install --no-audit --no-fund", openNextBuild},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir, bin := t.TempDir(), t.TempDir()
			writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"}}`})
			writeFiles(t, dir, test.files)
			if test.programs != "" {
				if err := os.WriteFile(filepath.Join(bin, test.programs), nil, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			ran, tree, err := builds(t, dir, build.Builder{App: opennext.App{Top: dir}, Settings: test.settings}, bin, `["4.1.12", "4.1.16"]`)
			if err != nil || tree != filepath.Join(dir, build.TreeName) || !slices.Equal(ran, test.want) {
				t.Errorf("built %q, %v by %q; want %q", tree, err, ran, test.want)
			}
			for _, left := range []string{build.StateDir + "/open-next.config.mjs", "next.config.mjs"} {
				if _, err := os.Lstat(filepath.Join(dir, left)); err == nil {
					t.Errorf("%s, which was written for the build, is still there", left)
				}
			}
			if ignored, err := os.ReadFile(filepath.Join(tree, ".gitignore")); err != nil || string(ignored) != "*\n" {
				t.Errorf("git would see the build: %q, %v", ignored, err)
			}
		})
	}
}

func TestBuilder_Build_TakesAnOpenNextOfTheTestedSeries(t *testing.T) {
	for versions, want := range map[string]string{
		`"4.1.13"`: "4.1.13", `["4.1.12"]`: "4.1.12", `["4.1.12","4.2.0"]`: "4.1.12", `["4.1.13-beta"]`: "4.1.12",
		"": "4.1.12", "null": "4.1.12", `"4.1.12; rm"`: "4.1.12",
	} {
		dir := t.TempDir()
		writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"}}`})
		ran, _, err := builds(t, dir, build.Builder{App: opennext.App{Top: dir}}, "", versions)
		if err != nil || len(ran) != 2 || !strings.HasPrefix(ran[1], "npx --yes @opennextjs/aws@"+want+" build") {
			t.Errorf("of %s it ran %q, %v", versions, ran, err)
		}
	}
}

func TestBuilder_Build_OldNext(t *testing.T) {
	for version, want := range map[string]string{"14.2.35": "3.9.12", "^13.5.0": "3.9.12", ">=14 <15": "3.9.12", "15.0.0": "4.1.16", "~16.1": "4.1.16", "latest": "4.1.16"} {
		dir := t.TempDir()
		writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"` + version + `"}}`})
		ran, _, err := builds(t, dir, build.Builder{App: opennext.App{Top: dir}}, "", `"4.1.16"`)
		if err != nil || len(ran) != 2 || !strings.HasPrefix(ran[1], "npx --yes @opennextjs/aws@"+want+" build") {
			t.Errorf("for Next.js %s it ran %q, %v", version, ran, err)
		}
	}
}

// OpenNext fails for an app with output: "export"; the error says so.
func TestBuilder_Build_RefusesAStaticExport(t *testing.T) {
	broken := errors.New("exit status 1")
	for output, code := range map[string]string{"export": "static_export", "standalone": "", "": ""} {
		dir := t.TempDir()
		writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"}}`})
		app, err := opennext.FindAppBelow(dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		b := build.Builder{App: app, Progress: &steps{}, Run: func(_ context.Context, c build.Command) error {
			if !slices.Contains(c.Args, "build") {
				return nil
			}
			writeFiles(t, dir, map[string]string{".next/required-server-files.json": `{"config":{"output":"` + output + `"}}`})
			return broken
		}}
		if _, err := b.Build(t.Context()); anchor.CodeOf(err) != code || code == "" && !errors.Is(err, broken) {
			t.Errorf("with the output %q the build ends with %v", output, err)
		}
	}
}

// The dependencies are installed exactly when those in node_modules are not those of the lockfile.
func TestBuilder_Build_InstallsWhenTheLockfileHasChanged(t *testing.T) {
	const lock = `{"packages":{"":{"name":"app"},"apps/web":{"version":"1.0.0"},"node_modules/web":{"link":true},
		"node_modules/next":{"version":"%s","integrity":"sha512-a"},"node_modules/fsevents":{"version":"2.3.3","optional":true}}}`
	older, newer := strings.Replace(lock, "%s", "15.1.0", 1), strings.Replace(lock, "%s", "15.5.0", 1)
	withoutOptional := `{"packages":{"node_modules/web":{"link":true},"node_modules/next":{"version":"15.5.0","integrity":"sha512-a"}}}`
	for name, test := range map[string]struct {
		hidden string // node_modules/.package-lock.json
		want   int    // commands of npm
	}{
		"the same":                       {newer, 0},
		"without an optional package":    {withoutOptional, 0},
		"another version":                {older, 1},
		"another content":                {strings.Replace(newer, "sha512-a", "sha512-b", 1), 1},
		"without a workspace":            {strings.Replace(newer, `"node_modules/web":{"link":true},`, "", 1), 1},
		"a copy in place of a workspace": {strings.Replace(newer, `{"link":true}`, `{"version":"1.0.0"}`, 1), 1},
		"unreadable":                     {"{", 1},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{
				"package.json": `{"dependencies":{"next":"15.5.0"}}`, "package-lock.json": newer,
				"node_modules/next/package.json": "{}", "node_modules/.package-lock.json": test.hidden,
			})
			ran, _, err := builds(t, dir, build.Builder{App: opennext.App{Top: dir}}, "", "")
			if err != nil || len(ran) != 1+test.want || test.want == 1 && ran[0] != "npm ci --no-audit --no-fund" {
				t.Errorf("ran %q, %v", ran, err)
			}
		})
	}
}

// Other package managers do not say what they installed, so it is remembered.
func TestBuilder_Build_RemembersWhatItInstalled(t *testing.T) {
	dir, bin := t.TempDir(), t.TempDir()
	writeFiles(t, dir, map[string]string{
		"package.json": `{"dependencies":{"next":"15.5.0"}}`, "pnpm-lock.yaml": "one", "node_modules/next/package.json": "{}",
	})
	if err := os.WriteFile(filepath.Join(bin, "pnpm"), nil, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, lock := range []string{"one", "one", "two", "two", "one"} {
		writeFiles(t, dir, map[string]string{"pnpm-lock.yaml": lock})
		ran, _, err := builds(t, dir, build.Builder{App: opennext.App{Top: dir}}, bin, "")
		installed := slices.Contains(ran, "pnpm install --frozen-lockfile")
		if want := i%2 == 0; err != nil || installed != want {
			t.Errorf("build %d ran %q, %v", i, ran, err)
		}
	}
}

func TestBuilder_Build_RefusesLockfilesThatAreNotClear(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		code  string
		says  []string
	}{
		"of two managers": {
			files: map[string]string{"package-lock.json": "{}", "pnpm-lock.yaml": ""},
			code:  "two_lockfiles", says: []string{"package-lock.json, pnpm-lock.yaml", "packageManager"},
		},
		"of another manager": {
			files: map[string]string{"package-lock.json": "{}", "package.json": `{"packageManager":"yarn@4.1.0","workspaces":["apps/*"]}`},
			code:  "other_lockfile", says: []string{"is yarn, but the lockfile in", "package-lock.json", "to npm"},
		},
		"none, asked for": {
			files: map[string]string{"package.json": `{"packageManager":"pnpm@9.15.9"}`, "pnpm-workspace.yaml": ""},
			code:  "no_lockfile", says: []string{"no lockfile of pnpm", "pnpm install"},
		},
		"of Plug'n'Play": {
			files: map[string]string{"package.json": `{"packageManager":"yarn@4.1.0"}`, "yarn.lock": "__metadata:\n"},
			code:  "yarn_pnp", says: []string{"Plug'n'Play", "nodeLinker: node-modules"},
		},
		"of Plug'n'Play, by name": {
			files: map[string]string{".yarnrc.yml": "nodeLinker: \"pnp\"\n", "yarn.lock": "# This file\n__metadata:\n"},
			code:  "yarn_pnp", says: []string{"Plug'n'Play"},
		},
		"none, by workspaces": {
			files: map[string]string{"package.json": `{}`, "pnpm-workspace.yaml": ""},
			code:  "no_lockfile", says: []string{"no lockfile of pnpm"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			top := t.TempDir()
			dir := filepath.Join(top, "apps", "web")
			writeFiles(t, top, test.files)
			writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"}}`})
			ran, _, err := builds(t, dir, build.Builder{App: opennext.App{Top: top}}, "", "")
			if anchor.CodeOf(err) != test.code || len(ran) != 0 {
				t.Fatalf("ran %q, %v", ran, err)
			}
			for _, text := range append(test.says, top) {
				if !strings.Contains(err.Error()+anchor.HintOf(err), text) {
					t.Errorf("it does not say %s: %v\n%s", text, err, anchor.HintOf(err))
				}
			}
		})
	}
}

func TestBuilder_Build_KeepsTheNextConfigOfTheApp(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"}}`, "next.config.mjs": "export default {a: 1}"})
	if _, _, err := builds(t, dir, build.Builder{App: opennext.App{Top: dir}}, "", ""); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(filepath.Join(dir, "next.config.mjs")); err != nil || string(content) != "export default {a: 1}" {
		t.Errorf("it is now %s, %v", content, err)
	}
}

// What a build leaves in .open-next is not followed out of it.
func TestBuilder_Build_IgnoreFileFollowsNoLink(t *testing.T) {
	dir, precious := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	writeFiles(t, filepath.Dir(precious), map[string]string{"precious": "precious"})
	writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"}}`, ".open-next/a": ""})
	if err := os.Symlink(precious, filepath.Join(dir, ".open-next", ".gitignore")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := builds(t, dir, build.Builder{App: opennext.App{Top: dir}}, "", ""); err != nil {
		t.Fatal(err)
	}
	if content, err := os.ReadFile(precious); err != nil || string(content) != "precious" {
		t.Errorf("it is now %s, %v", content, err)
	}
}

func TestDescribeOpenNext_SaysWhatIsOld(t *testing.T) {
	for version, want := range map[string]string{
		"": "the newest 4.1.x", "4.1.12": "which the app depends on", "^5.0.0": "which the app depends on", "latest": "latest",
		"3.9.20": "is older than the tested 4.1.12", "^4.1.2": "run npm install --save-dev @opennextjs/aws@~4.1.12",
	} {
		if got := build.DescribeOpenNext(opennext.App{OpenNextVersion: version}); !strings.Contains(got, want) {
			t.Errorf("%q is %q", version, got)
		}
	}
	for version, want := range map[string]string{"": "3.9.12, the last that builds Next.js 14.2.35", "3.9.12": "which the app depends on", "3.1.0": "is older than the tested 3.9.12"} {
		if got := build.DescribeOpenNext(opennext.App{OpenNextVersion: version, NextVersion: "14.2.35"}); !strings.Contains(got, want) {
			t.Errorf("for an old Next.js %q is %q", version, got)
		}
	}
}

func TestBuilder_Build_EndsAtTheFirstCommandThatFails(t *testing.T) {
	dir := t.TempDir()
	writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"}}`})
	app, err := opennext.FindAppBelow(dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	broken, said := errors.New("exit status 1"), &steps{}
	b := build.Builder{App: app, Progress: said, Run: func(context.Context, build.Command) error { return broken }}
	if _, err := b.Build(t.Context()); !errors.Is(err, broken) {
		t.Errorf("the build ended with %v", err)
	}
	if !slices.Equal(*said, []string{"begin Install"}) {
		t.Errorf("it reported %q", *said)
	}
}

func TestFindTree_RefusesALinkToAnotherFolder(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	writeFiles(t, other, map[string]string{"open-next.output.json": "{}"})
	if err := os.Symlink(other, filepath.Join(dir, build.TreeName)); err != nil {
		t.Fatal(err)
	}
	if _, err := build.FindTree(dir); anchor.CodeOf(err) != "link_escapes" {
		t.Errorf("the error is %v", err)
	}
}

func TestBuilder_Build_PassesTheDeploymentsID(t *testing.T) {
	for name, test := range map[string]struct {
		env    []string
		files  map[string]string
		id     string
		chosen []string // the values of the variable that OpenNext gets
	}{
		"":                             {id: "d1", chosen: []string{"d1"}},
		"no id":                        {},
		"a variable of the project":    {env: []string{"NEXT_DEPLOYMENT_ID=mine"}, id: "d1", chosen: []string{"mine"}},
		"an empty one":                 {env: []string{"NEXT_DEPLOYMENT_ID="}, id: "d1", chosen: []string{"", "d1"}},
		"next.config chooses":          {files: map[string]string{"next.config.mjs": "export default { deploymentId: process.env.SHA }"}, id: "d1"},
		"next.config in TypeScript":    {files: map[string]string{"next.config.ts": "config.deploymentId = sha()"}, id: "d1"},
		"next.config says it is not":   {files: map[string]string{"next.config.js": "/* no deploymentId */\n  // deploymentId: 1\nmodule.exports = {}"}, id: "d1", chosen: []string{"d1"}},
		"something with a longer name": {files: map[string]string{"next.config.js": "module.exports = { myDeploymentId, deploymentIds }"}, id: "d1", chosen: []string{"d1"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"}}`})
			writeFiles(t, dir, test.files)
			app, err := opennext.FindAppBelow(dir, dir)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			b := build.Builder{App: app, Env: test.env, DeploymentID: test.id, Progress: &steps{}, Run: func(_ context.Context, c build.Command) error {
				if !slices.Contains(c.Args, "build") {
					return nil
				}
				for _, entry := range c.Env {
					if value, ok := strings.CutPrefix(entry, "NEXT_DEPLOYMENT_ID="); ok {
						got = append(got, value)
					}
				}
				writeFiles(t, dir, map[string]string{".open-next/open-next.output.json": "{}"})
				return nil
			}}
			if _, err := b.Build(t.Context()); err != nil || !slices.Equal(got, test.chosen) {
				t.Errorf("OpenNext gets %q, %v; want %q", got, err, test.chosen)
			}
		})
	}
}

package build_test

import (
	"context"
	"errors"
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

func TestBuilder_Build_RunsTheCommandsThatTheAppNeeds(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"npm with a lockfile": {
			files: map[string]string{"package-lock.json": "{}"},
			want:  []string{"npm ci --no-audit --no-fund", "npx --yes @opennextjs/aws@4.1.12 build --config-path .anchor/open-next.config.mjs"},
		},
		"npm without one": {
			want: []string{"npm install --no-audit --no-fund", "npx --yes @opennextjs/aws@4.1.12 build --config-path .anchor/open-next.config.mjs"},
		},
		"pnpm": {
			files: map[string]string{"pnpm-lock.yaml": "", "open-next.config.ts": ""},
			want:  []string{"pnpm install --frozen-lockfile", "npx --yes @opennextjs/aws@4.1.12 build"},
		},
		"installed, with OpenNext": {
			files: map[string]string{"node_modules/next/package.json": "{}", "node_modules/.bin/open-next": "", "open-next.config.mjs": ""},
			want:  []string{"npx --no-install open-next build --config-path open-next.config.mjs"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			writeFiles(t, dir, map[string]string{"package.json": `{"dependencies":{"next":"15.1.0"}}`})
			writeFiles(t, dir, test.files)
			app, err := opennext.FindAppBelow(dir, dir)
			if err != nil {
				t.Fatal(err)
			}
			var ran []string
			b := build.Builder{App: app, Env: []string{"A=1"}, Progress: &steps{}, Run: func(_ context.Context, c build.Command) error {
				if c.Dir != dir || !slices.Equal(c.Env, []string{"A=1"}) {
					t.Errorf("ran %q in %s with %q", c.Args, c.Dir, c.Env)
				}
				ran = append(ran, strings.Join(c.Args, " "))
				if slices.Contains(c.Args, "build") {
					writeFiles(t, dir, map[string]string{".open-next/open-next.output.json": "{}"})
				}
				return nil
			}}
			tree, err := b.Build(t.Context())
			if err != nil || tree != filepath.Join(dir, build.TreeName) || !slices.Equal(ran, test.want) {
				t.Errorf("built %q, %v by %q; want %q", tree, err, ran, test.want)
			}
			if _, err := os.Lstat(filepath.Join(dir, build.StateDir, "open-next.config.mjs")); err == nil {
				t.Error("the configuration that was written for the build is still there")
			}
		})
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

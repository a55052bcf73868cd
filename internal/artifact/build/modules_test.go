package build_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

func TestBuilder_ModulesKey(t *testing.T) {
	const manifest, lock = `{"dependencies":{"next":"15.5.0"}}`, `{"packages":{"node_modules/next":{"version":"15.5.0"}}}`
	key := func(files map[string]string, change func(*build.Builder)) string {
		t.Helper()
		dir := t.TempDir()
		for name, content := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		app, err := opennext.FindAppBelow(dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		b := &build.Builder{App: app}
		if change != nil {
			change(b)
		}
		return b.ModulesKey("22.1.0")
	}
	base := map[string]string{"package.json": manifest, "package-lock.json": lock}
	same := key(base, func(b *build.Builder) { b.Env = []string{"SECRET=x"} })
	if want := key(base, nil); same == "" || same != want {
		t.Fatalf("two checkouts of one commit have the keys %q and %q", same, want)
	}
	for name, change := range map[string]func(*build.Builder){
		"settings of npm":    func(b *build.Builder) { b.Env = []string{"npm_config_omit=optional"} },
		"another Node.js":    func(b *build.Builder) { b.Settings.NodeVersion = "24" },
		"an install command": func(b *build.Builder) { b.Settings.InstallCommand = "npm ci" },
	} {
		if key(base, change) == same {
			t.Errorf("%s changes nothing", name)
		}
	}
	for name, files := range map[string]map[string]string{
		"another lockfile": {"package.json": manifest, "package-lock.json": `{}`},
		"another manifest": {"package.json": `{"dependencies":{"next":"15.5.1"}}`, "package-lock.json": lock},
		"a registry":       {"package.json": manifest, "package-lock.json": lock, ".npmrc": "registry=https://npm.example.com"},
		"another .nvmrc":   {"package.json": manifest, "package-lock.json": lock, ".nvmrc": "24"},
	} {
		if got := key(files, nil); got == same || got == "" {
			t.Errorf("%s has the key %q", name, got)
		}
	}
	for name, files := range map[string]map[string]string{
		"no lockfile": {"package.json": manifest},
		"pnpm":        {"package.json": manifest, "pnpm-lock.yaml": "lockfileVersion: '9.0'"},
		"workspaces":  {"package.json": `{"dependencies":{"next":"15.5.0"},"workspaces":["x"]}`, "package-lock.json": lock},
		"a script":    {"package.json": `{"dependencies":{"next":"15.5.0"},"scripts":{"postinstall":"x"}}`, "package-lock.json": lock},
		"a link":      {"package.json": manifest, "package-lock.json": `{"packages":{"node_modules/own":{"resolved":"own","link":true}}}`},
		"a file":      {"package.json": manifest, "package-lock.json": `{"packages":{"node_modules/own":{"resolved":"file:own.tgz"}}}`},
	} {
		if got := key(files, nil); got != "" {
			t.Errorf("%s has the key %q", name, got)
		}
	}
}

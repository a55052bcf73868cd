package build

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// ModulesName is the folder that package managers install into.
const ModulesName = "node_modules"

// installScripts are those of an app's own package.json that npm runs when it installs (npm, "scripts", Life Cycle
// Operation Order, npm ci). They may read any file of the commit.
var installScripts = []string{"preinstall", "install", "postinstall", "preprepare", "prepare", "postprepare", "prepublish", "dependencies"}

// ModulesKey identifies what an install depends on: of equal keys, the node_modules are equal, too, and one build's
// serve the next. node is the version of the Node.js that the machine has. It is "" where each build has to install:
// there is no lockfile of npm, the app is part of workspaces, or it does something of its own when it is installed.
func (b *Builder) ModulesKey(node string) string {
	lock := b.App.Lockfile()
	if lock == "" || b.App.PackageManager != "npm" || b.App.Root != b.App.Dir || b.Settings.InstallCommand != "" {
		return ""
	}
	manifest, err := os.ReadFile(filepath.Join(b.App.Dir, "package.json"))
	var read struct {
		Scripts    map[string]string `json:"scripts"`
		Workspaces json.RawMessage   `json:"workspaces"`
	}
	if err != nil || json.Unmarshal(manifest, &read) != nil || len(read.Workspaces) > 0 {
		return ""
	}
	for _, name := range installScripts {
		if _, has := read.Scripts[name]; has {
			return ""
		}
	}
	content, err := os.ReadFile(lock)
	if err != nil || strings.Contains(string(content), `"file:`) { // packages that are files of the commit
		return ""
	}
	packages, ok := readLocked(lock)
	for _, p := range packages {
		ok = ok && !p.Link // to another folder of the commit
	}
	if !ok {
		return ""
	}
	npmrc, _ := os.ReadFile(filepath.Join(b.App.Dir, ".npmrc")) // none differs from any
	wanted, _ := b.wantedNode()
	digest := sha256.New()
	for _, part := range append(npmSettings(b.Env), node, wanted, string(manifest), string(content), string(npmrc)) {
		digest.Write([]byte(part + "\x00"))
	}
	return hex.EncodeToString(digest.Sum(nil))
}

// npmSettings returns the variables by which npm decides what it installs.
func npmSettings(env []string) (all []string) {
	for _, entry := range env {
		if name, _, _ := strings.Cut(strings.ToLower(entry), "="); strings.HasPrefix(name, "npm_config_") || name == "node_env" {
			all = append(all, entry)
		}
	}
	slices.Sort(all)
	return all
}

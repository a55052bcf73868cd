package build

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// longTermNames are the names of Node.js' long-term support releases (nodejs/Release, README.md).
var longTermNames = map[string]string{"hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24"}

// NodeFiles are the files that name a version of Node.js for tools such as nvm and fnm.
var NodeFiles = []string{".nvmrc", ".node-version"}

// AppNode returns the version of Node.js that the app asks for, as a version ("22", "22.11.0") or a range
// of npm (">=20 <23"), and where it does: in the nearest .nvmrc or .node-version of the app's folder and
// those above it, else in engines.node of package.json. Both are "" when the app asks for none, or for
// "lts/*" or such, which any supported version is.
func AppNode(app opennext.App) (version, source string) {
	for _, dir := range app.Folders() {
		for _, name := range NodeFiles {
			content, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				continue
			}
			return nodeAlias(string(content)), name
		}
	}
	for _, dir := range app.Folders() {
		if engines := enginesOf(dir); engines != "" {
			return engines, "engines of package.json"
		}
	}
	return "", ""
}

// nodeAlias returns the version in a .nvmrc (nvm, "nvm --help": <version>), or "" for an alias that
// stands for no version in particular.
func nodeAlias(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line, _, _ = strings.Cut(line, "#")
	line = strings.ToLower(strings.TrimSpace(line))
	if name, found := strings.CutPrefix(line, "lts/"); found {
		return longTermNames[name]
	}
	line = strings.TrimPrefix(line, "v")
	if !nodeVersion.MatchString(line) {
		return ""
	}
	return line
}

// enginesOf returns engines.node of the package.json in dir, or "" without one that is a range.
func enginesOf(dir string) string {
	content, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return ""
	}
	var manifest struct {
		Engines struct {
			Node string `json:"node"`
		} `json:"engines"`
	}
	_ = json.Unmarshal(content, &manifest) // npm accepts other types there, too
	text := strings.TrimSpace(manifest.Engines.Node)
	if _, err := semver.NewConstraint(text); text == "" || err != nil {
		return ""
	}
	return text
}

// hasNode reports whether the Node.js of the commands is of a version, or in a range, such as AppNode
// returns.
func (b *Builder) hasNode(ctx context.Context, want string) bool {
	var out bytes.Buffer
	err := b.Run(ctx, Command{Dir: b.App.Dir, Args: []string{"node", "--version"}, Env: b.Env, Out: &out})
	if err != nil {
		return false
	}
	have := strings.TrimPrefix(strings.TrimSpace(out.String()), "v")
	if nodeVersion.MatchString(want) {
		return have == want || strings.HasPrefix(have, want+".")
	}
	set, err := semver.NewConstraint(want)
	if err != nil {
		return false
	}
	version, err := semver.NewVersion(have)
	return err == nil && set.Check(version)
}

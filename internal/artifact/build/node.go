package build

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/Masterminds/semver/v3"

	"github.com/anchor-deploy/anchor/internal/artifact"
)

// addNode makes the version of Node.js that the app asks for available to the commands: that of the
// settings, of .nvmrc, of .node-version or of package.json, in this order. Only the settings fail the
// build when the version cannot be had; the others are advice, as to npm.
func (b *Builder) addNode(ctx context.Context) error {
	want, source := b.wantedNode()
	if want == "" {
		return nil
	}
	var out bytes.Buffer
	err := b.Run(ctx, Command{Dir: b.App.Dir, Args: []string{"node", "--version"}, Env: b.Env, Out: &out})
	have := strings.TrimPrefix(strings.TrimSpace(out.String()), "v")
	if err == nil && allowsNode(want, have) {
		return nil
	}
	if have == "" {
		have = "none"
	}
	b.Progress.Begin("Tools")
	b.Progress.Done(stepTools, fmt.Sprintf("%s asks for Node.js %s, this machine has %s", source, want, have))
	err = b.addTool(ctx, "node@"+want, "node")
	if err == nil || source == SettingsName || ctx.Err() != nil {
		return err
	}
	b.Progress.Begin("Tools")
	b.Progress.Done(stepTools, fmt.Sprintf("Node.js %s cannot be installed; the build uses %s", want, have))
	return nil
}

// stepTools is the step that installs what this machine lacks.
const stepTools = "tools"

// maxVersionFile is the most that is read of a file with a version, in bytes.
const maxVersionFile = 1 << 20

// longTermNames are the names of Node.js' long-term support releases (nodejs/Release, README.md).
var longTermNames = map[string]string{"hydrogen": "18", "iron": "20", "jod": "22", "krypton": "24"}

// wantedNode returns the version of Node.js, or the range of versions, that the app asks for, and where: the
// settings, the nearest .nvmrc or .node-version, or engines.node of package.json. A name that stands for no version in
// particular, such as lts/*, asks for nothing.
func (b *Builder) wantedNode() (want, source string) {
	if b.Settings.NodeVersion != "" {
		return b.Settings.NodeVersion, SettingsName
	}
	for _, dir := range b.App.Folders() {
		for _, name := range []string{".nvmrc", ".node-version"} {
			if want := nodeAlias(firstWord(readSmall(dir, name))); want != "" {
				return want, name
			}
		}
	}
	for _, dir := range b.App.Folders() {
		if want := enginesOf(dir); want != "" {
			return want, "package.json"
		}
	}
	return "", ""
}

// nodeAlias returns the version that a name in a .nvmrc stands for (nvm, "nvm --help": <version>), or "" when it stands for no
// version in particular.
func nodeAlias(name string) string {
	name = strings.ToLower(name)
	if release, found := strings.CutPrefix(name, "lts/"); found {
		return longTermNames[release]
	}
	if name = strings.TrimPrefix(name, "v"); !nodeVersion.MatchString(name) {
		return ""
	}
	return name
}

// enginesOf returns engines.node of the package.json in dir, or "" without one that is a range.
func enginesOf(dir string) string {
	var manifest struct {
		Engines struct {
			Node string `json:"node"`
		} `json:"engines"`
	}
	// npm accepts other types there, too: what cannot be decoded asks for nothing.
	_ = json.Unmarshal(readSmall(dir, "package.json"), &manifest)
	want := strings.TrimSpace(manifest.Engines.Node)
	if _, err := semver.NewConstraint(want); err != nil || !nodeRange.MatchString(want) {
		return ""
	}
	return want
}

// nodeRange are ranges that can be a part of the name of a package for npm, and of a folder.
var nodeRange = regexp.MustCompile(`^[0-9xX*.^~<>=| -]{1,64}$`)

// readSmall returns a file of the app, nil when it cannot be read. It follows no link out of dir.
func readSmall(dir, name string) []byte {
	if _, err := os.Lstat(filepath.Join(dir, name)); dir == "" || err != nil {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil
	}
	defer root.Close()
	file, err := artifact.OpenIn(root, name)
	if err != nil {
		return nil
	}
	defer file.Close()
	content := make([]byte, maxVersionFile)
	n, err := file.Read(content)
	if err != nil {
		return nil
	}
	return content[:n]
}

func firstWord(content []byte) string {
	for line := range strings.Lines(string(content)) {
		if words := strings.Fields(line); len(words) > 0 && !strings.HasPrefix(words[0], "#") {
			return words[0]
		}
	}
	return ""
}

// allowsNode reports whether a version is in a range, as npm writes ranges. "22" means every 22.
func allowsNode(want, have string) bool {
	if have == want || strings.HasPrefix(have, want+".") {
		return true
	}
	set, err := semver.NewConstraint(want)
	if err != nil {
		return false
	}
	v, err := semver.NewVersion(have)
	return err == nil && v.Prerelease() == "" && set.Check(v)
}

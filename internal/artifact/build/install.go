package build

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
)

// install installs the dependencies unless those of the lockfile are there.
func (b *Builder) install(ctx context.Context) error {
	own := b.Settings.InstallCommand
	if own == "" {
		if err := cmp.Or(b.App.CheckLockfile(), b.checkLinker()); err != nil {
			return err
		}
	}
	if err := b.addNode(ctx); err != nil {
		return err
	}
	if err := b.addPackager(ctx); err != nil {
		return err
	}
	if b.isInstalled() {
		return nil
	}
	b.Progress.Begin("Install")
	command, detail := installCommand(b), b.App.PackageManager
	if own != "" {
		command, detail = []string{"sh", "-c", own}, own
	}
	if err := b.run(ctx, b.App.Root, command...); err != nil {
		return err
	}
	b.stampInstall()
	b.Progress.Done("install", detail)
	return nil
}

func installCommand(b *Builder) []string {
	switch b.App.PackageManager {
	case "pnpm":
		return []string{"pnpm", "install", "--frozen-lockfile"}
	case "yarn":
		if b.isBerry() {
			return []string{"yarn", "install", "--immutable"}
		}
		return []string{"yarn", "install", "--frozen-lockfile"}
	case "bun":
		return []string{"bun", "install", "--frozen-lockfile"}
	}
	if b.App.Lockfile() == "" {
		return []string{"npm", "install", "--no-audit", "--no-fund"}
	}
	return []string{"npm", "ci", "--no-audit", "--no-fund"}
}

// isInstalled reports whether node_modules contains what the lockfile says: for npm by the lockfile
// that it keeps there, else by what the last build of this folder has installed.
func (b *Builder) isInstalled() bool {
	if !b.find("node_modules", "next") {
		return false
	}
	if b.App.PackageManager == "npm" && b.Settings.InstallCommand == "" {
		if lock := b.App.Lockfile(); lock != "" {
			return agree(lock, filepath.Join(b.App.Root, "node_modules", ".package-lock.json"))
		}
		return b.hasDependencies()
	}
	stamp, err := os.ReadFile(filepath.Join(b.App.Dir, StateDir, stampName))
	return err == nil && string(stamp) == b.installDigest()
}

// hasDependencies reports whether there is some version of each package that package.json asks for.
func (b *Builder) hasDependencies() bool {
	content, err := os.ReadFile(filepath.Join(b.App.Dir, "package.json"))
	var manifest struct {
		Dependencies map[string]string `json:"dependencies"`
		Dev          map[string]string `json:"devDependencies"`
	}
	if err != nil || json.Unmarshal(content, &manifest) != nil {
		return false
	}
	for _, packages := range []map[string]string{manifest.Dependencies, manifest.Dev} {
		for name := range packages {
			if !b.find("node_modules", filepath.FromSlash(name)) {
				return false
			}
		}
	}
	return true
}

// locked is a package in package-lock.json (npm, "package-lock.json", packages).
type locked struct {
	Version     string `json:"version"`
	Integrity   string `json:"integrity"`
	Link        bool   `json:"link"`
	Optional    bool   `json:"optional"`
	DevOptional bool   `json:"devOptional"`
	Peer        bool   `json:"peer"`
}

// agree reports whether all packages of a package-lock.json are in the one that npm keeps in
// node_modules (npm, "package-lock.json", Hidden Lockfiles), in the same versions. Optional ones may
// be missing there: they may be for another machine.
func agree(lockfile, hidden string) bool {
	want, ok := readLocked(lockfile)
	have, found := readLocked(hidden)
	if !ok || !found || len(want) == 0 {
		return false
	}
	for path, p := range want {
		if !strings.Contains(path, "node_modules/") {
			continue // the app itself and its workspaces
		}
		there, installed := have[path]
		switch {
		case !installed && (p.Optional || p.DevOptional || p.Peer):
		case !installed, p.Link != there.Link, p.Version != there.Version:
			return false
		case p.Integrity != "" && there.Integrity != "" && p.Integrity != there.Integrity:
			return false
		}
	}
	return true
}

func readLocked(name string) (map[string]locked, bool) {
	content, err := os.ReadFile(name)
	var lock struct {
		Packages map[string]locked `json:"packages"`
	}
	if err != nil || json.Unmarshal(content, &lock) != nil {
		return nil, false
	}
	return lock.Packages, true
}

// stampName is a file in StateDir: the digest of what was installed.
const stampName = "installed"

// stampInstall stores that the current lockfile is installed. Without the stamp the next build
// installs again.
func (b *Builder) stampInstall() {
	_ = InState(b.App.Dir, func(state *os.Root) error {
		return state.WriteFile(stampName, []byte(b.installDigest()), 0o644)
	})
}

func (b *Builder) installDigest() string {
	digest := sha256.New()
	digest.Write([]byte(b.App.PackageManager + "\x00" + b.App.PackagerVersion + "\x00" + b.Settings.InstallCommand + "\x00"))
	for _, name := range []string{b.App.Lockfile(), filepath.Join(b.App.Root, "package.json"), filepath.Join(b.App.Dir, "package.json")} {
		content, _ := os.ReadFile(name) // a missing file differs from any other
		digest.Write([]byte(name + "\x00"))
		digest.Write(content)
	}
	return hex.EncodeToString(digest.Sum(nil))
}

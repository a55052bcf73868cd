package build

import (
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

// deploymentVariable passes the deployment's id to Next.js, which puts it into the pages of the build
// instead of what next.config has (next/dist/server/config.js).
const deploymentVariable = "NEXT_DEPLOYMENT_ID"

// openNextEnv returns the environment of OpenNext's command: with the deployment's id, unless the app
// chooses an id for itself.
func (b *Builder) openNextEnv() []string {
	chosen := slices.ContainsFunc(b.Env, func(entry string) bool {
		return strings.HasPrefix(entry, deploymentVariable+"=") && entry != deploymentVariable+"="
	})
	// OpenNext installs sharp, of one version, with npm: without asking the registry what npm's cache knows.
	env := append(slices.Clip(b.Env), "npm_config_prefer_offline=true")
	if b.DeploymentID == "" || chosen || choosesID(b.App.Dir) {
		return env
	}
	return append(env, deploymentVariable+"="+b.DeploymentID)
}

// nextConfigs are the names that Next.js looks for (next/dist/shared/lib/constants.js, CONFIG_FILES).
var nextConfigs = []string{"next.config.js", "next.config.mjs", "next.config.ts", "next.config.mts", "next.config.cjs"}

// maxNextConfig is how many bytes of a next.config are looked at.
const maxNextConfig = 1 << 20

var (
	comments   = regexp.MustCompile(`(?s)/\*.*?\*/|(?m:^\s*//.*$)`)
	idInConfig = regexp.MustCompile(`\bdeploymentId\b`)
)

// choosesID reports whether the app's next.config names deploymentId. An unreadable one does not;
// the build reports it.
func choosesID(dir string) bool {
	app, err := os.OpenRoot(dir)
	if err != nil {
		return false
	}
	defer app.Close()
	return slices.ContainsFunc(nextConfigs, func(name string) bool {
		if info, err := app.Lstat(name); err != nil || !info.Mode().IsRegular() {
			return false
		}
		file, err := app.Open(name)
		if err != nil {
			return false
		}
		defer file.Close()
		text, err := io.ReadAll(io.LimitReader(file, maxNextConfig))
		return err == nil && idInConfig.Match(comments.ReplaceAll(text, nil))
	})
}

package cli

import (
	"context"
	"maps"
	"os"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// buildApp builds an app on this machine and returns the folder of its OpenNext build.
func (s *shell) buildApp(ctx context.Context, app opennext.App, settings build.Settings, vars map[string]string, p *progress) (string, error) {
	log, err := openBuildLog(app.Dir, p.sayNote)
	if err != nil {
		return "", err
	}
	defer log.file.Close()
	// The deployment gets its own id later, when the server knows what was built.
	b := build.Builder{App: app, Settings: settings, Env: buildEnv(vars), DeploymentID: anchor.NewID(), Run: log.run, Progress: p}
	tree, err := b.Build(ctx)
	if err != nil {
		p.failStep()
		if !s.json && ctx.Err() == nil {
			log.printTo(s.Err)
		}
		return "", err
	}
	return tree, nil
}

// Begin implements build.Progress.
func (p *progress) Begin(label string) { p.beginStep(label) }

// Done implements build.Progress.
func (p *progress) Done(step, detail string) { p.endStep(step, detail) }

// actionsKey is project.ActionsKey.
const actionsKey = "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"

// buildEnv returns this process's environment with the project's variables. NODE_ENV would make
// package managers omit what builds need; a build must not see Anchor's token.
func buildEnv(vars map[string]string) []string {
	if os.Getenv(actionsKey) != "" {
		vars = maps.Clone(vars)
		delete(vars, actionsKey) // the server sends one of its own making to whoever has set none
	}
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

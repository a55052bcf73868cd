package cli

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
)

// buildApp builds an app on this machine and returns the folder of its OpenNext build.
func (s *shell) buildApp(ctx context.Context, b build.Builder, p *progress) (string, error) {
	log, err := openBuildLog(b.App.Dir, p.showOutput)
	if err != nil {
		return "", err
	}
	defer log.file.Close()
	b.Run, b.Progress, b.Tools = log.run, p, filepath.Join(b.App.Dir, build.StateDir, "tools")
	b.DeploymentID = anchor.NewID() // the deployment gets its own id later, when the server knows what was built
	tree, err := b.Build(ctx)
	if err != nil {
		p.failStep()
		if s.IsTerminal && !s.json && ctx.Err() == nil {
			log.printTo(s.Err)
		}
		return "", err
	}
	return tree, nil
}

// buildVariables returns the project's variables for the build and those that Anchor sets.
func (d *deploying) buildVariables(ctx context.Context) (vars map[string]string, err error) {
	c := readCommit(ctx, d.dir).withOptions(d.options)
	scope := d.scope(c)
	vars = map[string]string{}
	if d.target.exists() {
		if vars, err = d.client.BuildEnv(ctx, d.slug, scope); err != nil {
			return nil, err
		}
	}
	for name, value := range map[string]string{
		"ANCHOR_ENV": string(scope.Environment), "ANCHOR_GIT_COMMIT_SHA": c.sha, "ANCHOR_GIT_BRANCH": c.branch,
		"ANCHOR_GIT_PULL_REQUEST_ID": c.pullID(),
	} {
		if value != "" {
			vars[name] = value
		}
	}
	if scope.Environment == anchor.EnvProduction && d.target.project.URL != "" {
		vars["ANCHOR_URL"] = d.target.project.URL
	}
	anchor.AddVercelNames(vars)
	return vars, nil
}

// serverMachine returns what machine the server needs the build for; the zero value stands for this one.
func (d *deploying) serverMachine(ctx context.Context) (build.Target, error) {
	status, err := d.client.Status(ctx)
	if err != nil || status.Target == nil { // a server of an earlier version
		return build.Target{}, err
	}
	t := build.Target{OS: status.Target.OS, Arch: status.Target.Arch, Libc: status.Target.Libc}
	if t.Arch == "" {
		t.Arch = build.ThisMachine().Arch
	}
	return t, nil
}

// Begin implements build.Progress. Without a terminal it also prints that the step begins, because
// nothing moves then and a step may take minutes.
func (p *progress) Begin(label string) {
	p.beginStep(label)
	if !p.streams.IsTerminal && !p.quiet {
		fmt.Fprintf(p.streams.Err, "· %s\n", label)
	}
}

// showOutput shows a line that the build prints: beside its step on a terminal, else as it comes.
func (p *progress) showOutput(line string) {
	p.sayNote(line)
	if !p.streams.IsTerminal && !p.quiet {
		p.mu.Lock() // the output of a build elsewhere comes beside its steps
		defer p.mu.Unlock()
		fmt.Fprintf(p.streams.Err, "  │ %s\n", cleanText(line))
	}
}

// Done implements build.Progress.
func (p *progress) Done(step, detail string) { p.endStep(step, detail) }

// actionsKey is project.ActionsKey.
const actionsKey = "NEXT_SERVER_ACTIONS_ENCRYPTION_KEY"

// buildEnv returns this process's environment with the project's variables. NODE_ENV would make
// package managers omit what builds need; a build must not see Anchor's token, and ANCHOR_URL is the
// server's here and the site's in a build.
func buildEnv(vars map[string]string) []string {
	if os.Getenv(actionsKey) != "" {
		vars = maps.Clone(vars)
		delete(vars, actionsKey) // the server sends one of its own making to whoever has set none
	}
	var env []string
	for _, entry := range os.Environ() {
		name, _, _ := strings.Cut(entry, "=")
		if _, replaced := vars[name]; replaced || name == "NODE_ENV" || name == "ANCHOR_TOKEN" || name == "ANCHOR_URL" {
			continue
		}
		env = append(env, entry)
	}
	for name, value := range vars {
		env = append(env, name+"="+value)
	}
	return append(env, "NEXT_TELEMETRY_DISABLED=1")
}

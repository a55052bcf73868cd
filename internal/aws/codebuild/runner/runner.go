// Package runner is what a build of CodeBuild executes: the handlers' binary with the argument "build"
// (buildspec.yml in internal/aws/install). It builds the app in the checkout as anchor deploy and
// git push do, and leaves open-next.tar.gz for the buildspec's post_build.
package runner

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/aws/codebuild"
	"github.com/anchor-deploy/anchor/internal/deploy"
)

// ArchiveName is the file that Run writes into the checkout's folder: the app's .open-next.
const ArchiveName = "open-next.tar.gz"

// Runner runs one build.
type Runner struct {
	Dir     string   // absolute: the checkout
	Cache   string   // absolute: the folder that CodeBuild keeps between builds of a project
	Environ []string // of the process; what concerns Anchor alone does not reach the build's commands
	Out     io.Writer
	Limit   int64 // bytes that the caches may have; 0 means 1 GiB
}

// defaultLimit is the size at which the caches are emptied: restoring and storing them must not take
// longer than what they save.
const defaultLimit = 1 << 30

// Run builds the app and writes the archive. It prints the error itself, with its hint.
func (r *Runner) Run(ctx context.Context) error {
	err := r.run(ctx)
	if err != nil {
		r.say("error: %s", err)
		if hint := anchor.HintOf(err); hint != "" {
			r.say("%s", hint)
		}
	}
	return err
}

func (r *Runner) run(ctx context.Context) error {
	vars, err := r.variables()
	if err != nil {
		return err
	}
	checkout := build.Checkout{Top: r.Dir, Folder: vars[anchor.RootVariable], Project: anchor.Project{
		ID: anchor.ProjectID(r.variable(deploy.ProjectVariable)), Slug: r.variable(codebuild.SlugVariable),
	}}
	app, settings, err := checkout.FindApp()
	if err != nil {
		return err
	}
	if err := build.CheckPublic(ctx, app.Dir); err != nil {
		return err
	}
	r.restoreNext(app.Dir)
	steps := &progress{say: r.say}
	tree, err := (&build.Builder{
		App: app, Settings: settings, Env: r.environment(vars), DeploymentID: r.variable(deploy.DeploymentVariable),
		Run: r.command, Progress: steps, Tools: filepath.Join(r.Cache, "tools"),
	}).Build(ctx)
	if err != nil {
		return err
	}
	if err := build.PutSettings(tree, settings.AWS); err != nil {
		return err
	}
	if err := build.AddCrons(tree, app.Dir, settings); err != nil {
		return err
	}
	steps.Begin("Archive")
	err = r.command(ctx, build.Command{
		Dir: r.Dir, Env: r.Environ,
		Args: []string{"tar", "-C", filepath.Dir(tree), "-czf", filepath.Join(r.Dir, ArchiveName), filepath.Base(tree)},
	})
	if err != nil {
		return err
	}
	steps.Done("archive", ArchiveName)
	r.keepNext(app.Dir)
	r.boundCache()
	return nil
}

// say prints a line of Anchor's own. logs.go of package codebuild recognizes it.
func (r *Runner) say(format string, args ...any) {
	for line := range strings.SplitSeq(fmt.Sprintf(format, args...), "\n") {
		fmt.Fprintln(r.Out, codebuild.NotePrefix+line)
	}
}

// variable returns a variable of the process.
func (r *Runner) variable(name string) (value string) {
	for _, entry := range r.Environ {
		if v, found := strings.CutPrefix(entry, name+"="); found {
			value = v
		}
	}
	return value
}

// variables returns the project's variables of the build.
func (r *Runner) variables() (map[string]string, error) {
	hidden := r.variable(codebuild.HiddenVariable)
	if hidden == "" {
		return map[string]string{}, nil
	}
	var vars map[string]string
	content, err := base64.StdEncoding.DecodeString(hidden)
	if err == nil {
		err = json.Unmarshal(content, &vars)
	}
	if err != nil {
		return nil, anchor.Invalid("bad_build_env", "the variables of the build cannot be read").Because(errors.New("they are not JSON in base64")).
			Hintf("Start the build again: anchor builds start")
	}
	return vars, nil
}

// withheld are the variables of the process that no command of a build gets: what proves a report, and
// how to get the credentials of the build's role.
var withheld = []string{
	deploy.ProofVariable, codebuild.HiddenVariable, codebuild.SlugVariable,
	"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN",
	"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN",
}

// environment returns the variables of the build's commands. Caches of package managers are in the
// folder that CodeBuild keeps.
func (r *Runner) environment(project map[string]string) []string {
	env := map[string]string{}
	for _, entry := range r.Environ {
		if name, value, found := strings.Cut(entry, "="); found && !slices.Contains(withheld, name) {
			env[name] = value
		}
	}
	maps.Copy(env, map[string]string{
		"CI": "1", "NO_COLOR": "1", "NEXT_TELEMETRY_DISABLED": "1", "npm_config_update_notifier": "false",
		"npm_config_cache":      filepath.Join(r.Cache, "npm"),
		"YARN_CACHE_FOLDER":     filepath.Join(r.Cache, "yarn"),
		"BUN_INSTALL_CACHE_DIR": filepath.Join(r.Cache, "bun"),
		"COREPACK_HOME":         filepath.Join(r.Cache, "corepack"),
		"XDG_CACHE_HOME":        filepath.Join(r.Cache, "xdg"),
		"XDG_DATA_HOME":         filepath.Join(r.Cache, "data"), // of pnpm's store
		"ANCHOR_GIT_COMMIT_SHA": r.variable("CODEBUILD_RESOLVED_SOURCE_VERSION"),
	})
	maps.Copy(env, project)
	anchor.AddVercelNames(env)
	list := make([]string, 0, len(env))
	for _, name := range slices.Sorted(maps.Keys(env)) {
		if env[name] != "" {
			list = append(list, name+"="+env[name])
		}
	}
	return list
}

// command implements build.Run.
func (r *Runner) command(ctx context.Context, c build.Command) error {
	text := strings.Join(c.Args, " ")
	cmd := exec.CommandContext(ctx, c.Program(), c.Args[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = c.Dir, c.Env, r.Out, r.Out, 5*time.Second
	if c.Out == nil {
		r.say("$ %s", text)
	} else {
		cmd.Stdout = c.Out
	}
	if err := cmd.Run(); err != nil {
		return anchor.Failed("build_failed", "%s failed: %v", text, err).Because(err).
			Hintf("The lines above say why.")
	}
	return nil
}

// progress prints the steps.
type progress struct {
	say   func(format string, args ...any)
	began time.Time
}

// Begin implements build.Progress.
func (p *progress) Begin(label string) {
	p.began = time.Now()
	p.say("%s", label)
}

// Done implements build.Progress.
func (p *progress) Done(_, detail string) {
	p.say("done in %d s: %s", int(time.Since(p.began).Seconds()), detail)
}

// Package build makes the OpenNext build of a Next.js app: it installs dependencies, runs OpenNext
// and reads what that wrote. The CLI and the server use it alike; they differ in where commands
// run, see Run.
package build

import (
	"cmp"
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// Command is one command of a build.
type Command struct {
	Dir  string // absolute
	Args []string
	Env  []string
	// Out gets what the command writes to standard output, in place of the log of the build. nil: the log.
	Out io.Writer
}

// Run runs a command until it or ctx ends. Everything that the command started has ended when Run
// returns. The error of a command that fails says so to users.
type Run func(ctx context.Context, c Command) error

// Progress follows the steps of a build.
type Progress interface {
	// Begin starts a step; label is for people.
	Begin(label string)
	// Done ends the step that runs; detail is for people.
	Done(step, detail string)
}

// Builder builds one app.
type Builder struct {
	App      opennext.App
	Settings Settings
	Env      []string // complete environment of the commands
	// DeploymentID is the id that browsers send with what they request for the build's pages, see
	// anchor.Build.SkewID. The app may choose another one. "": none.
	DeploymentID string
	Run          Run
	Progress     Progress
	Target       Target // zero: this machine
	Tools        string // folder for package managers that this machine lacks; the commands can write to it
}

// Build installs what is missing, runs OpenNext, and returns the folder that it wrote.
func (b *Builder) Build(ctx context.Context) (tree string, err error) {
	if err := b.install(ctx); err != nil {
		return "", err
	}
	if err := b.runOpenNext(ctx); err != nil {
		return "", err
	}
	if tree, err = FindTree(b.App.Dir); err != nil {
		return "", err
	}
	return tree, keepSourceMaps(b.App.Dir, tree)
}

func (b *Builder) run(ctx context.Context, dir string, args ...string) error {
	return b.Run(ctx, Command{Dir: dir, Args: args, Env: b.Env})
}

func (b *Builder) runOpenNext(ctx context.Context) error {
	b.Progress.Begin("Build")
	var command []string
	if b.find("node_modules", ".bin", "open-next") {
		command = []string{"npx", "--no-install", "open-next", "build"}
	} else {
		command = []string{"npx", "--yes", openNextName + "@" + b.openNext(ctx), "build"}
	}
	config, err := b.config()
	if err != nil {
		return err
	}
	if config != "" {
		command = append(command, "--config-path", config)
	}
	if b.App.OpenNextConfig == "" {
		defer removeConfig(b.App.Dir)
	}
	if written, err := writeNextConfig(b.App.Dir); err != nil {
		return err
	} else if written {
		defer removeNextConfig(b.App.Dir)
	}
	err = b.Run(ctx, Command{Dir: b.App.Dir, Args: command, Env: b.openNextEnv()})
	ignoreTree(b.App.Dir)
	if err != nil {
		return cmp.Or(checkExport(b.App.Dir), err)
	}
	b.Progress.Done("build", "Next.js "+b.App.NextVersion)
	return nil
}

// find reports whether a path exists in the app's folder or one above it, in which Node.js looks
// for modules.
func (b *Builder) find(path ...string) bool {
	for _, dir := range b.App.Folders() {
		if _, err := os.Stat(filepath.Join(append([]string{dir}, path...)...)); err == nil {
			return true
		}
	}
	return false
}

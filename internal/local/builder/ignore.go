package builder

import (
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
	"github.com/anchor-deploy/anchor/internal/local/git"
)

// notNeeded is the end of a build whose commit need not be built.
type notNeeded struct{ why string }

// Error implements error.
func (n *notNeeded) Error() string { return n.why }

// previousVariable names the commit of the newest deployment of the branch for ignoreCommand.
const previousVariable = "ANCHOR_GIT_PREVIOUS_SHA"

// skip returns a *notNeeded for a commit that the settings of the app exclude: it changes none of the
// watched paths, or ignoreCommand says so. It must be called before anything else of the commit runs.
func (w *work) skip(ctx context.Context, app opennext.App, s build.Settings, vars map[string]string) error {
	if w.job.forced || w.job.deployment.Fork || s.IgnoreCommand == "" && len(s.WatchPaths) == 0 {
		return nil
	}
	repository := w.builder.Repositories.Of(w.job.project.ID)
	before, err := w.builder.lastDeployed(ctx, w.job)
	if err != nil {
		return err
	}
	commit := w.job.deployment.CommitSha
	if len(s.WatchPaths) > 0 && before != "" {
		changes, err := repository.Changes(ctx, before, commit, s.WatchPaths)
		if err == nil && !changes {
			err = &notNeeded{fmt.Sprintf("nothing has changed since %.7s in %s", before, strings.Join(s.WatchPaths, ", "))}
		}
		if err != nil {
			return err
		}
	}
	if s.IgnoreCommand == "" {
		return nil
	}
	return w.askIgnoreCommand(ctx, repository, app, s.IgnoreCommand, before, vars)
}

// askIgnoreCommand runs the ignoreCommand of an app within the walls, in a folder that is a repository
// while it runs.
func (w *work) askIgnoreCommand(ctx context.Context, r *git.Repository, app opennext.App, command, before string, vars map[string]string) error {
	d := w.job.deployment
	folder := filepath.Join(w.src(), ".git")
	if err := r.History(ctx, d.CommitSha, before, d.Branch, w.src()); err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return w.own(path)
	})
	if err != nil {
		return fmt.Errorf("write the history of the commit: %w", err)
	}
	w.job.output.sayf("note", "$ %s", command)
	vars = maps.Clone(vars)
	if before != "" {
		vars[previousVariable] = before
	}
	env := append(w.environment(vars),
		// The folder may seem to belong to somebody else within the walls (git-config(1), safe.directory).
		"GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	code, text, err := w.start(ctx, build.Command{Dir: app.Dir, Args: []string{"sh", "-c", command}, Env: env})
	if e := w.contains(app.Dir); err == nil {
		err = e
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return err
	case code == 0:
		return &notNeeded{"ignoreCommand ended with exit code 0: " + command}
	}
	w.job.output.sayf("note", "ignoreCommand: %s; the commit is built", text)
	return nil
}

// lastDeployed returns the commit of the newest deployment of the job's branch that was deployed, "" when
// there is none.
func (b *Builder) lastDeployed(ctx context.Context, j *job) (string, error) {
	newest, err := b.Records.Deployments(ctx, j.project.ID, anchor.Page{Limit: anchor.MaxPage})
	if err != nil {
		return "", fmt.Errorf("list the deployments of project %s: %w", j.project.Slug, err)
	}
	i := slices.IndexFunc(newest.Items, func(d anchor.Deployment) bool {
		return d.Branch == j.deployment.Branch && !d.IsRollback && d.Status == anchor.Deployed && d.ID != j.deployment.ID
	})
	if i < 0 {
		return "", nil
	}
	return newest.Items[i].CommitSha, nil
}

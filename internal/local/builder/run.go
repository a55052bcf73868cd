package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/artifact"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/artifact/opennext"
)

// errTimeout is the cause of the end of a build that lasts too long.
var errTimeout = errors.New("the build takes too long")

// run builds a job's commit and hands the result to the pipeline.
func (b *Builder) run(j *job) {
	lasting := context.WithoutCancel(j.ctx)
	d, err := b.Deploys.StartedBuild(lasting, j.project.ID, j.deployment.ID)
	if err != nil || d.Status != anchor.Building {
		if err != nil {
			b.end(lasting, j.deployment, stepBuild, err)
		}
		return // canceled meanwhile
	}
	ctx, cancel := context.WithTimeoutCause(j.ctx, b.Limits.Timeout, errTimeout)
	defer cancel()
	p := &jobProgress{job: j, builder: b}
	err = b.make(ctx, p)
	if skipped := (*notNeeded)(nil); errors.As(err, &skipped) {
		if err := b.Deploys.NotNeeded(lasting, j.project.ID, d.ID, skipped.why); err != nil {
			b.Log.Error("record a build that is not needed", "deploymentId", d.ID, "error", err)
		}
		return
	}
	switch cause := context.Cause(ctx); {
	case err == nil || errors.Is(cause, errEnded):
		return
	case errors.Is(cause, errTimeout):
		err = anchor.Failed("build_timeout", "the build did not end within %s", b.Limits.Timeout).
			Hintf("Start the server with a higher limit: anchor up --build-timeout %s", 2*b.Limits.Timeout)
	case errors.Is(cause, errStopped):
		err = interrupted(j.deployment.ID)
	case errors.Is(err, syscall.ENOSPC) && anchor.CodeOf(err) == "":
		err = diskFullDuring(err.Error(), j.deployment.ID)
	}
	b.end(lasting, d, p.step, err)
}

// diskFullDuring returns the error of something that the full disk of the server ended.
func diskFullDuring(what string, id anchor.DeploymentID) error {
	return anchor.Failed("disk_full", "%s: the disk of the server is full", what).
		Hintf("Free space on it; anchor status shows how much there is. Then: anchor builds retry %s", id)
}

// make runs the steps of a build.
func (b *Builder) make(ctx context.Context, p *jobProgress) error {
	w, err := b.openWork(p.job)
	if err != nil {
		return err
	}
	defer w.close()
	p.Begin("Checkout")
	if err := w.checkout(ctx, b.Repositories.Of(p.project.ID), p.deployment.CommitSha); err != nil {
		return err
	}
	vars, err := b.buildVariables(ctx, p.job)
	if err != nil {
		return err
	}
	app, settings, err := w.findApp(vars[RootVariable])
	if err == nil {
		err = build.CheckPublic(ctx, app.Dir)
	}
	if err != nil {
		return w.relative(err)
	}
	if err := w.skip(ctx, app, settings, vars); err != nil {
		return w.relative(err)
	}
	p.Done(stepCheckout, fmt.Sprintf("%.7s of %s", p.deployment.CommitSha, p.deployment.Branch))
	w.restoreCache(app.Dir)
	builds := &build.Builder{
		App: app, Settings: settings, Env: w.environment(vars), DeploymentID: string(p.deployment.ID), Run: w.run, Progress: p,
		Tools: filepath.Join(w.cache, "tools"),
	}
	modules := builds.ModulesKey(b.Node.Version)
	w.restoreModules(app.Dir, modules)
	tree, err := b.Make(ctx, builds)
	if err != nil {
		return w.relative(err)
	}
	p.Begin("Import")
	if err := w.contains(tree); err != nil {
		return err
	}
	if err := build.AddCrons(tree, app.Dir, settings); err != nil {
		return w.relative(err)
	}
	out, err := build.Scan(ctx, tree)
	if err != nil {
		return w.relative(err)
	}
	w.keepCache(app.Dir, modules)
	return b.deliver(ctx, p, out)
}

// buildVariables returns the variables of a build. One of a fork gets the app's folder only.
func (b *Builder) buildVariables(ctx context.Context, j *job) (map[string]string, error) {
	vars, err := b.Env.ForBuild(ctx, j.project.ID, j.scope())
	if err != nil {
		return nil, fmt.Errorf("read the variables of the build: %w", err)
	}
	if j.deployment.Fork {
		return map[string]string{RootVariable: vars[RootVariable]}, nil
	}
	return vars, nil
}

// deliver makes a build the artifact of its deployment and starts the pipeline.
func (b *Builder) deliver(ctx context.Context, p *jobProgress, out build.Output) error {
	id := p.deployment.ID
	d, err := b.Deploys.Adopt(ctx, p.project.ID, id, p.deployment.CommitSha, func(ctx context.Context) (artifact.Manifest, error) {
		return out.Manifest, b.store(ctx, p.project.ID, out)
	})
	if err != nil || d.Status.Ended() {
		return err
	}
	p.Done(stepImport, fmt.Sprintf("%d files", len(out.Manifest.Files)))
	_, err = b.Deploys.Finish(ctx, p.project.ID, id)
	return err
}

// store stores the contents of a build's files.
func (b *Builder) store(ctx context.Context, p anchor.ProjectID, out build.Output) error {
	root, err := os.OpenRoot(out.Tree)
	if err != nil {
		return fmt.Errorf("open the build: %w", err)
	}
	defer root.Close()
	stored := map[artifact.Digest]bool{}
	for _, f := range out.Found.Files {
		if f.Link != "" || stored[f.Digest] {
			continue
		}
		stored[f.Digest] = true
		content, err := artifact.OpenIn(root, f.Path)
		if err != nil {
			return err
		}
		err = b.Deploys.PutFile(ctx, p, f.Digest, f.Size, content)
		content.Close()
		if err != nil {
			return fmt.Errorf("store %s: %w", f.Path, err)
		}
	}
	return nil
}

// RootVariable is the build variable that names the app's folder in a repository with several, in
// place of the rootDirectory of anchor.json.
const RootVariable = anchor.RootVariable

// findApp returns the app that the commit has for the project, with its settings.
func (w *work) findApp(folder string) (opennext.App, build.Settings, error) {
	return build.Checkout{Top: w.src(), Project: w.job.project, Folder: folder, Contains: w.contains}.FindApp()
}

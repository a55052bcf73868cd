package server

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/core"
	"github.com/anchor-deploy/anchor/internal/local/builder"
	"github.com/anchor-deploy/anchor/internal/local/git"
	"github.com/anchor-deploy/anchor/internal/local/hooks"
	"github.com/anchor-deploy/anchor/internal/project/secret"
)

// openBuilder opens the repositories that are pushed to, and what builds their commits.
func (a *app) openBuilder(ctx context.Context, c *core.Anchor, run string) (err error) {
	if a.repositories, err = git.Open(filepath.Join(a.Data, "git"), git.Limits{}); err != nil {
		return err
	}
	if err := a.repositories.Sweep(); err != nil {
		return err
	}
	a.builder, err = builder.Open(builder.Config{
		Dir: filepath.Join(a.Data, "builds"), Run: run, Limits: a.Builds,
		Node: a.buildNode(), Walls: a.walls.Walls, User: a.walls.Users.OfBuild, Groups: a.walls.Groups,
		Repositories: a.repositories, Deploys: c.Deploys, Records: a.store, Env: c.Env, URLs: a.URLs, BranchURL: a.BranchURL,
		Make: a.MakeBuild, Log: a.Log,
	})
	if err != nil {
		return err
	}
	a.onClose(a.builder.Close)
	return a.builder.Resume(ctx)
}

// openHooks opens what connects projects to repositories at other hosts.
func (a *app) openHooks(ctx context.Context, box *secret.Box) error {
	a.hooks = hooks.New(hooks.Config{
		Records: a.store, Box: box, Repositories: a.repositories, Builder: a.builder, Deploys: a.core.Deploys,
		URLs: a.URLs, BranchURL: a.BranchURL, Log: a.Log,
	})
	a.onClose(a.hooks.Close)
	return a.hooks.Resume(ctx)
}

// pushes implements api.Git.
type pushes struct{ *app }

// Scope implements api.Git: who fetches reads, who pushes deploys.
func (p pushes) Scope(r *http.Request, path string) (needs anchor.Scope, ok bool) {
	request, ok := git.ParseRequest(r, path)
	if request.Service == git.ReceivePack {
		return anchor.ScopeDeploy, ok
	}
	return anchor.ScopeRead, ok
}

// Serve implements api.Git.
func (p pushes) Serve(w http.ResponseWriter, r *http.Request, project anchor.Project, path string) error {
	request, _ := git.ParseRequest(r, path)
	request.Project = project
	request.Receive = func(ctx context.Context, push git.Push, out io.Writer) error {
		return p.builder.Receive(ctx, project, push, out)
	}
	return p.repositories.Serve(w, r, request)
}

// projectFiles implements project.Remover.
type projectFiles struct{ *app }

// RemoveProject implements project.Remover.
func (f projectFiles) RemoveProject(ctx context.Context, p anchor.ProjectID) error {
	err := errors.Join(f.platform.RemoveProject(ctx, p), f.builder.RemoveProject(ctx, p), f.errors.RemoveProject(ctx, p))
	f.previews.Forget(p)
	f.drains.Forget(p)
	return err
}

// checkGit reports whether commits can be pushed. A server without git serves and deploys, too.
func (a *app) checkGit(ctx context.Context) wire.Check {
	version, err := git.Version(ctx)
	if err != nil {
		return wire.Check{Name: "Git", OK: true, Detail: "not found: nobody can push to this server; anchor deploy works without it"}
	}
	return wire.Check{Name: "Git", OK: true, Detail: version}
}

package lambda

import (
	"context"
	"fmt"
	"iter"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/project"
)

// BuilderWithEnv is a deploy.Builder that also receives the build's environment variables.
type BuilderWithEnv interface {
	Build(ctx context.Context, p anchor.Project, d anchor.Deployment, s deploy.Source, env map[string]string) error
	// Check, Cancel and AccessHint are those of deploy.Builder.
	Check(s deploy.Source) error
	Cancel(ctx context.Context, d anchor.DeploymentID) error
	AccessHint() string
	// Lines yields what a build printed, oldest line first, as api.RemoteBuilds does.
	Lines(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, follow bool) iter.Seq2[anchor.LogLine, error]
	// LinesFrom is that of api.BuildTail.
	LinesFrom(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID, from int64) iter.Seq2[anchor.LogLine, error]
	// Repository returns the repository that a build was made of, ErrNotFound when it is not known.
	Repository(ctx context.Context, d anchor.DeploymentID) (string, error)
	// Proves reports whether proof was given to the build of the deployment, and to no other.
	Proves(p anchor.ProjectID, d anchor.DeploymentID, proof string) bool
	// Forget deletes what Build stored of env, once the build has ended. Idempotent.
	Forget(ctx context.Context, d anchor.DeploymentID) error
}

// builder passes the project's variables of the build phase, and Anchor's own, to builds.
type builder struct {
	BuilderWithEnv
	env  *project.Env
	urls func(p anchor.Project, d anchor.DeploymentID) (site, deployment string)
}

func (b builder) Build(ctx context.Context, p anchor.Project, d anchor.Deployment, s deploy.Source) error {
	env, err := b.env.ForBuild(ctx, p.ID, p.ScopeOf(d.Branch, d.NoRelease))
	if err != nil {
		return fmt.Errorf("read the variables of project %s: %w", p.ID, err)
	}
	scope := p.ScopeOf(d.Branch, d.NoRelease)
	env["ANCHOR_ENV"] = string(scope.Environment)
	if d.Branch != "" {
		env["ANCHOR_GIT_BRANCH"] = d.Branch
	}
	site, own := b.urls(p, d.ID)
	if scope.Environment == anchor.EnvPreview {
		site = own
	}
	if site != "" { // the first deployment creates the distribution, whose name is CloudFront's choice
		env["ANCHOR_URL"] = site
	}
	return b.BuilderWithEnv.Build(ctx, p, d, s, env)
}

// remoteBuilds is an api.RemoteBuilds.
type remoteBuilds struct {
	BuilderWithEnv
	deploys *deploy.Service
}

// Retry builds the commit of a build that has ended again, or the branch or tag of one that ended
// before its commit was known.
func (r remoteBuilds) Retry(ctx context.Context, p anchor.Project, id anchor.DeploymentID) (anchor.Deployment, error) {
	d, err := r.deploys.Get(ctx, p.ID, id)
	if err != nil {
		return d, err
	}
	if d.Status == anchor.Queued || d.Status == anchor.Building {
		return d, anchor.Conflict("still_building", "build %s has not ended", id).
			Hintf("To stop it, run anchor builds cancel %s", id)
	}
	repository, err := r.Repository(ctx, id)
	if err != nil {
		return d, err
	}
	return r.deploys.StartBuild(ctx, p.ID, deploy.BuildRequest{
		Repository: repository, CommitSha: d.CommitSha, CommitMessage: d.CommitMessage, Branch: d.Branch, NoRelease: d.NoRelease, Production: !d.NoRelease,
	})
}

package lambda

import (
	"context"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/project"
)

// BuilderWithEnv is a deploy.Builder that also receives the build's environment variables.
type BuilderWithEnv interface {
	Build(ctx context.Context, p anchor.Project, d anchor.Deployment, s deploy.Source, env map[string]string) error
	// AccessHint is that of deploy.Builder.
	AccessHint() string
	// Proves reports whether proof was given to the build of the deployment, and to no other.
	Proves(p anchor.ProjectID, d anchor.DeploymentID, proof string) bool
	// Forget deletes what Build stored of env, once the build has ended. Idempotent.
	Forget(ctx context.Context, d anchor.DeploymentID) error
}

// builder passes the project's variables of the build phase to builds.
type builder struct {
	BuilderWithEnv
	env *project.Env
}

func (b builder) Build(ctx context.Context, p anchor.Project, d anchor.Deployment, s deploy.Source) error {
	env, err := b.env.ForBuild(ctx, p.ID, p.ScopeOf(d.Branch, d.NoRelease))
	if err != nil {
		return fmt.Errorf("read the variables of project %s: %w", p.ID, err)
	}
	env["ANCHOR_ENV"] = string(p.ScopeOf(d.Branch, d.NoRelease).Environment)
	return b.BuilderWithEnv.Build(ctx, p, d, s, env)
}

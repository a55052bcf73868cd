package lambda

import (
	"context"
	"fmt"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy"
	"github.com/anchor-deploy/anchor/internal/project"
)

// BuilderWithEnv is deploy.Builder that is told the build's environment variables.
type BuilderWithEnv interface {
	Build(ctx context.Context, p anchor.Project, d anchor.Deployment, s deploy.Source, env map[string]string) error
	// AccessHint is deploy.Builder's.
	AccessHint() string
	// Forget removes what Build kept of env, once the build has ended. Idempotent.
	Forget(ctx context.Context, d anchor.DeploymentID) error
}

// builder gives builds the project's variables of the build phase.
type builder struct {
	BuilderWithEnv
	env *project.Env
}

func (b builder) Build(ctx context.Context, p anchor.Project, d anchor.Deployment, s deploy.Source) error {
	env, err := b.env.ForBuild(ctx, p.ID)
	if err != nil {
		return fmt.Errorf("read the variables of project %s: %w", p.ID, err)
	}
	return b.BuilderWithEnv.Build(ctx, p, d, s, env)
}

package cli

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) redeployCommand() *cobra.Command {
	var envOnly, prod bool
	cmd := &cobra.Command{
		Use: "redeploy ID --env-only", Short: "Deploy a deployment's files again, with the variables of now", Args: cobra.ExactArgs(1),
		Long: "Makes a new deployment of the files of another one, without a build, that runs\n" +
			"with the run-time variables of now. A production deployment goes live; a preview\n" +
			"stays a preview, unless --prod makes it live with the variables of production.\n" +
			"What a build has inlined stays as it is.",
		Example: "  anchor env set API_KEY - <key.txt\n  anchor redeploy 01m8jc6481sk664t10n0m3yy03 --env-only",
		RunE: func(cmd *cobra.Command, args []string) error {
			if !envOnly {
				return usagef("anchor redeploy does not build and needs --env-only; to build again, run anchor deploy or anchor builds retry")
			}
			return s.runRedeploy(cmd.Context(), anchor.DeploymentID(args[0]), prod)
		},
	}
	cmd.Flags().BoolVar(&envOnly, "env-only", false, "change the run-time variables and nothing else")
	cmd.Flags().BoolVar(&prod, "prod", false, "go live, with the variables of production")
	return cmd
}

func (s *shell) runRedeploy(ctx context.Context, id anchor.DeploymentID, prod bool) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	p, err := c.Project(ctx, project)
	if err != nil {
		return err
	}
	of, err := c.Deployment(ctx, project, id)
	if err != nil {
		return err
	}
	redeploy := s.newRedeploy(c, p.Slug)
	started, err := c.Start(ctx, p.Slug, wire.StartDeployment{
		FilesOf: of.ID, CommitSha: of.CommitSha, CommitMessage: of.CommitMessage, Branch: of.Branch, PullRequest: of.PullRequest,
		NoRelease: !prod && p.ScopeOf(of.Branch, of.NoRelease).Environment == anchor.EnvPreview,
	})
	if err != nil {
		return err
	}
	if _, err := c.Finish(ctx, p.Slug, started.Deployment.ID); err != nil {
		redeploy.cancelOnServer(ctx, started.Deployment.ID)
		return err
	}
	return redeploy.follow(ctx, started.Deployment.ID, started.BuildVariables)
}

// redeploying follows a deployment of the files of another one, and prints the result as deploy does.
type redeploying struct {
	*deploying
	began time.Time
}

func (s *shell) newRedeploy(c *client.Client, project string) redeploying {
	return redeploying{&deploying{shell: s, client: c, slug: project, progress: newProgress(s)}, time.Now()}
}

// follow waits for the end of the deployment. inlined are the names of the variables whose values the
// build may have inlined.
func (r redeploying) follow(ctx context.Context, id anchor.DeploymentID, inlined []string) error {
	defer r.progress.haltTicker()
	record, err := r.followDeployment(ctx, id)
	if err != nil {
		if ctx.Err() != nil {
			r.cancelOnServer(ctx, id)
		}
		return err
	}
	r.progress.timings["total"] = time.Since(r.began).Milliseconds()
	out := deployed{
		DeploymentID: record.ID, ProjectID: record.ProjectID, Status: record.Status,
		URL: record.URL, DeploymentURL: record.DeploymentURL, Version: record.Version, Timings: r.progress.timings,
	}
	return r.printResult(out, func(w io.Writer) {
		r.deployedTo(w, record, time.Since(r.began))
		if len(inlined) > 0 {
			printWrapped(r.Err, "", "The files keep the values that their build inlined of: "+strings.Join(inlined, ", "))
		}
	})
}

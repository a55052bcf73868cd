package cli

import (
	"context"
	"fmt"
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
	return s.redeploy(ctx, c, p, of, prod, false)
}

// redeploy deploys the files of a deployment once more and prints the result as deploy does.
func (s *shell) redeploy(ctx context.Context, c *client.Client, p wire.Project, of wire.Deployment, prod, forceReload bool) error {
	began := time.Now()
	d := &deploying{shell: s, client: c, slug: p.Slug, progress: newProgress(s)}
	defer d.progress.haltTicker()
	started, err := c.Start(ctx, p.Slug, wire.StartDeployment{
		FilesOf: of.ID, CommitSha: of.CommitSha, CommitMessage: of.CommitMessage, Branch: of.Branch, ForceReload: forceReload,
		NoRelease: !prod && p.ScopeOf(of.Branch, of.NoRelease).Environment == anchor.EnvPreview,
	})
	if err != nil {
		return err
	}
	id := started.Deployment.ID
	if _, err := c.Finish(ctx, p.Slug, id); err != nil {
		d.cancelOnServer(ctx, id)
		return err
	}
	record, err := d.followDeployment(ctx, id)
	if err != nil {
		if ctx.Err() != nil {
			d.cancelOnServer(ctx, id)
		}
		return err
	}
	inlined, err := builtIn(ctx, c, p.Slug)
	if err != nil {
		return err
	}
	d.progress.timings["total"] = time.Since(began).Milliseconds()
	out := deployed{
		DeploymentID: record.ID, ProjectID: record.ProjectID, Status: record.Status,
		URL: record.URL, DeploymentURL: record.DeploymentURL, Version: record.Version, Timings: d.progress.timings,
	}
	return s.printResult(out, func(w io.Writer) {
		s.deployedTo(w, record, time.Since(began))
		if len(inlined) > 0 {
			printWrapped(s.Err, "", "As the build left them, whatever they are now: "+strings.Join(inlined, ", "))
		}
	})
}

// builtIn returns the names of the project's variables that builds see, and may have inlined.
func builtIn(ctx context.Context, c *client.Client, project string) (names []string, err error) {
	vars, err := c.Env(ctx, project, false)
	if err != nil {
		return nil, fmt.Errorf("list the variables of the build: %w", err)
	}
	for _, v := range vars {
		if v.For.Covers(anchor.EnvBuild) && (len(names) == 0 || names[len(names)-1] != v.Name) {
			names = append(names, v.Name)
		}
	}
	return names, nil
}

// promotePreview makes a preview live as a new deployment of its files, because it runs with the
// variables of previews.
func (s *shell) promotePreview(ctx context.Context, c *client.Client, p wire.Project, of wire.Deployment, request wire.Promote) error {
	if !s.json {
		printWrapped(s.Err, "", fmt.Sprintf("%s is a preview of %s. It is deployed once more, with the variables of production.", of.ID, cleanText(of.Branch)))
	}
	return s.redeploy(ctx, c, p, of, true, request.ForceReload)
}

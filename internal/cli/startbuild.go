package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

type buildOptions struct {
	repository, ref, message string
	noRelease, noWait, prod  bool
}

func (s *shell) startBuildCommand() *cobra.Command {
	var o buildOptions
	cmd := &cobra.Command{
		Use: "start", Short: "Build a commit on AWS CodeBuild and deploy it", Args: cobra.NoArgs,
		Long: "Builds a commit on AWS CodeBuild and deploys it. The production branch of the\n" +
			"project goes live; another branch or a tag becomes a preview, unless --prod is\n" +
			"added.",
		Example: "  anchor builds start\n  anchor builds start --ref main\n" +
			"  anchor builds start --repo https://github.com/you/shop --ref v1.4.0",
		RunE: func(cmd *cobra.Command, _ []string) error { return s.startBuild(cmd.Context(), o) },
	}
	flags := cmd.Flags()
	flags.StringVar(&o.repository, "repo", "", "repository to clone (default: git remote origin)")
	flags.StringVar(&o.ref, "ref", "", "branch, tag or full commit hash (default: the checked-out commit)")
	flags.StringVar(&o.message, "message", "", "message to record (default: the commit message)")
	flags.BoolVar(&o.noRelease, "no-release", false, "deploy without going live")
	flags.BoolVar(&o.prod, "prod", false, "go live from any branch or tag")
	flags.BoolVar(&o.noWait, "no-wait", false, "return as soon as the build has started")
	return cmd
}

func (s *shell) startBuild(ctx context.Context, o buildOptions) error {
	source, err := findSource(ctx, ".", o)
	if err != nil {
		return err
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	began := time.Now()
	// The key is this call's: what the client repeats of it starts no second build.
	d, err := c.StartBuild(ctx, project, anchor.NewID(), wire.StartBuild{
		Repository: source.repository, CommitSha: source.sha, Branch: source.branch, CommitMessage: source.message, NoRelease: o.noRelease, Production: o.prod,
	})
	if err != nil {
		return err
	}
	p := newProgress(s)
	if !o.noWait {
		if d, err = s.followBuild(ctx, c, project, d.ID, p); err != nil {
			return err
		}
		p.timings["total"] = time.Since(began).Milliseconds()
	}
	out := deployed{
		DeploymentID: d.ID, ProjectID: d.ProjectID, Status: d.Status, URL: d.URL, DeploymentURL: d.DeploymentURL,
		Version: d.Version, Timings: p.timings,
	}
	return s.printResult(out, func(w io.Writer) {
		if o.noWait {
			fmt.Fprintf(w, "%s is %s. To see its progress, run anchor deployments.\n", d.ID, d.Status)
			return
		}
		s.deployedTo(w, d, time.Since(began))
	})
}

// followBuild shows what happens until the deployment has ended, and what the build prints. The end of
// ctx ends the watching and not the build, which runs on no machine of the user's.
func (s *shell) followBuild(ctx context.Context, c *client.Client, project string, id anchor.DeploymentID, p *progress) (wire.Deployment, error) {
	defer p.haltTicker()
	p.beginStep("Build")
	output := s.showBuildLog(ctx, c, project, id, p)
	d, err := (&deploying{shell: s, client: c, slug: project, progress: p}).watchEvents(ctx, id)
	last := output(d.Status == anchor.BuildFailed)
	if d.Status == anchor.BuildFailed && ctx.Err() == nil {
		p.failStep()
		if s.IsTerminal && !s.json { // elsewhere all lines are there
			for _, line := range last {
				fmt.Fprintln(s.Err, "  │ "+cleanText(line))
			}
		}
	}
	if ctx.Err() != nil && !s.json {
		p.haltTicker()
		fmt.Fprintf(s.Err, "The build continues. To stop it, run anchor cancel %s\n", id)
	}
	return d, err
}

// drainLog bounds how long the end of a failed build's output is waited for: CloudWatch shows it some
// seconds after the build has ended.
const drainLog = 20 * time.Second

// showBuildLog shows what the build prints until end is called, which returns its last lines. With
// wait it first waits for the output to be complete. A server that has no output is not an error: the
// events show how the build ends.
func (s *shell) showBuildLog(ctx context.Context, c *client.Client, project string, id anchor.DeploymentID, p *progress) (end func(wait bool) []string) {
	ctx, stop := context.WithCancel(ctx)
	var last []string
	read := make(chan struct{})
	go func() {
		defer close(read)
		for line, err := range c.FollowBuildLog(ctx, project, id) {
			if err != nil {
				return
			}
			if p.showOutput(line.Text); len(last) == tailLines {
				last = last[1:]
			}
			last = append(last, line.Text)
		}
	}()
	return func(wait bool) []string {
		if wait {
			select {
			case <-read:
			case <-time.After(drainLog):
			}
		}
		stop()
		<-read
		return last
	}
}

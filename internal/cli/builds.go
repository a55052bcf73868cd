package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func (s *shell) buildsCommand() *cobra.Command {
	var page pageFlags
	list := func(cmd *cobra.Command, _ []string) error { return s.builds(cmd.Context(), page) }
	ls := &cobra.Command{Use: "ls", Short: "List builds, newest first", Args: cobra.NoArgs, RunE: list}
	page.declareFlags(ls)
	cmd := parentCommand("builds", "List, follow and control builds of commits", ls, s.startBuildCommand(),
		s.buildLogCommand(), s.cancelBuildCommand(), s.retryBuildCommand())
	cmd.Long = "Without a command, lists the builds of the project.\n\n" +
		"A server on one machine builds the commits that are pushed to it (anchor git).\n" +
		"An installation on AWS builds with CodeBuild (anchor builds start)."
	cmd.RunE = list
	page.declareFlags(cmd)
	return cmd
}

func (s *shell) builds(ctx context.Context, page pageFlags) error {
	if err := page.checkFlags(); err != nil {
		return err
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	list, err := c.Builds(ctx, project, page.Page)
	if err != nil {
		return err
	}
	return s.printResult(list, func(w io.Writer) {
		if len(list.Items) == 0 {
			fmt.Fprintln(w, "No builds yet. To set up a Git remote to push to, run anchor git.")
			return
		}
		rows := make([][]string, 0, len(list.Items))
		for _, d := range list.Items {
			mark, status := " ", string(d.Status)
			if d.Live {
				mark, status = "●", "live"
			}
			rows = append(rows, []string{mark, string(d.ID), s.branchCell(d.Branch), status, formatAge(d.CreatedAt), cleanText(shortSHA(d.CommitSha) + " " + d.CommitMessage)})
		}
		s.printTable(w, []string{"", "BUILD", "BRANCH", "STATUS", "AGE", "COMMIT"}, rows)
		s.printMore(w, list.Next)
	})
}

func (s *shell) buildLogCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "logs ID", Short: "Show what a build printed; -f to follow", Args: cobra.ExactArgs(1),
		Example: "  anchor builds logs -f 01k…",
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.buildLog(cmd.Context(), anchor.DeploymentID(args[0]), follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "show new lines until the deployment has ended")
	return cmd
}

func (s *shell) buildLog(ctx context.Context, id anchor.DeploymentID, follow bool) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	if follow {
		return s.followLines(ctx, c.FollowBuildLog(ctx, project, id), s.buildLine)
	}
	lines, err := c.BuildLog(ctx, project, id)
	if err != nil {
		return err
	}
	return s.printLines(lines, s.buildLine)
}

func (s *shell) buildLine(w io.Writer, line anchor.LogLine) {
	text := cleanText(line.Text)
	switch line.Level {
	case "error":
		text = s.paintText(red, text)
	case "note":
		text = s.paintText(bold, text)
	}
	fmt.Fprintln(w, text)
}

func (s *shell) cancelBuildCommand() *cobra.Command {
	return &cobra.Command{
		Use: "cancel ID", Short: "Cancel a build that waits or runs", Args: cobra.ExactArgs(1),
		Example: "  anchor builds cancel 01k…",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			d, err := c.CancelBuild(cmd.Context(), project, anchor.DeploymentID(args[0]))
			if err != nil {
				return err
			}
			return s.printResult(d, func(w io.Writer) { fmt.Fprintf(w, "Build %s is %s.\n", d.ID, d.Status) })
		},
	}
}

func (s *shell) retryBuildCommand() *cobra.Command {
	return &cobra.Command{
		Use: "retry ID", Short: "Build the commit of a build again", Args: cobra.ExactArgs(1),
		Long: "Builds the commit of a build again and deploys it, as a new build. The branch in\n" +
			"the server's repository does not move; a later push of the same commit does that\n" +
			"without another build. On AWS, CodeBuild clones the same repository again.",
		Example: "  anchor builds retry 01k…",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			d, err := c.RetryBuild(cmd.Context(), project, anchor.DeploymentID(args[0]))
			if err != nil {
				return err
			}
			return s.printResult(d, func(w io.Writer) {
				fmt.Fprintf(w, "Build %s is %s. To follow it, run anchor builds logs -f %s\n", d.ID, d.Status, d.ID)
			})
		},
	}
}

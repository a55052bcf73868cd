package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// pageFlags are those of every list that has pages.
type pageFlags struct{ anchor.Page }

func (p *pageFlags) declareFlags(cmd *cobra.Command) {
	cmd.Flags().IntVarP(&p.Limit, "limit", "n", anchor.DefaultPage, "rows to show, at most 100")
	cmd.Flags().StringVar(&p.Cursor, "cursor", "", "continue from the cursor of the previous page")
}

func (p *pageFlags) checkFlags() error {
	if p.Limit < 1 || p.Limit > anchor.MaxPage {
		return usagef("--limit is %d; it must be from 1 to %d", p.Limit, anchor.MaxPage)
	}
	return nil
}

// printMore prints how to see the next page.
func (s *shell) printMore(w io.Writer, next string) {
	if next != "" {
		fmt.Fprintln(w, s.paintText(dim, "For the next page, add --cursor "+next))
	}
}

func (s *shell) deploymentsCommand() *cobra.Command {
	var page pageFlags
	cmd := &cobra.Command{
		Use: "deployments", Aliases: []string{"ls"}, Short: "List deployments, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.runDeployments(cmd.Context(), page) },
	}
	page.declareFlags(cmd)
	return cmd
}

func (s *shell) runDeployments(ctx context.Context, page pageFlags) error {
	if err := page.checkFlags(); err != nil {
		return err
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	list, err := c.Deployments(ctx, project, page.Page)
	if err != nil {
		return err
	}
	return s.printResult(list, func(w io.Writer) {
		if len(list.Items) == 0 {
			fmt.Fprintln(w, "No deployments yet. To create one, run anchor deploy.")
			return
		}
		rows := make([][]string, 0, len(list.Items))
		for _, d := range list.Items {
			rows = append(rows, deploymentRow(d))
		}
		s.printTable(w, []string{"", "DEPLOYMENT", "VERSION", "STATUS", "AGE", "COMMIT"}, rows)
		s.printMore(w, list.Next)
	})
}

func deploymentRow(d wire.Deployment) []string {
	mark, status := " ", string(d.Status)
	if d.Live {
		mark, status = "●", "live"
	}
	if d.Weight > 0 {
		mark, status = "○", fmt.Sprintf("gets %d %%", d.Weight)
	}
	if d.IsRollback {
		status = "rollback"
	}
	if d.PrunedAt > 0 {
		status = "pruned"
	}
	commit := cleanText(shortSHA(d.CommitSha) + " " + d.CommitMessage)
	return []string{mark, string(d.ID), shortVersion(d), status, formatAge(d.CreatedAt), commit}
}

// shortVersion leaves the label of a rollback to its status: it names the target,
// whose own row has the number.
func shortVersion(d wire.Deployment) string {
	if d.IsRollback {
		return "v" + d.Functions[anchor.ServerFunction].Version
	}
	return d.Version
}

func (s *shell) cancelCommand() *cobra.Command {
	return &cobra.Command{
		Use: "cancel ID", Short: "Cancel a running deployment", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			d, err := c.Cancel(cmd.Context(), project, anchor.DeploymentID(args[0]))
			if err != nil {
				return err
			}
			return s.printResult(d, func(w io.Writer) { fmt.Fprintf(w, "Canceled %s.\n", d.ID) })
		},
	}
}

package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) errorsCommand() *cobra.Command {
	var limit int
	var deployment string
	cmd := &cobra.Command{
		Use: "errors", Short: "List the errors that the app logged, grouped by cause", Args: cobra.NoArgs,
		Long: "Lists the errors that the app logged, the one seen last first. Errors with the\n" +
			"same function, message and place in the code are one group; numbers, ids and\n" +
			"addresses in messages do not count. NEW marks a group that only the live\n" +
			"deployment logged, so it came with this version.",
		Example: "  anchor errors\n  anchor errors --deployment 01k…\n  anchor errors show 5f0c1d2e3a4b5c6d",
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.runErrors(cmd.Context(), deployment, limit) },
	}
	cmd.Flags().StringVar(&deployment, "deployment", "", "show only groups that this deployment logged")
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "number of groups to show, at most 1000")
	cmd.AddCommand(&cobra.Command{
		Use: "show ID", Short: "Show a group of errors with its last stack trace", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.runError(cmd.Context(), args[0]) },
	})
	return cmd
}

func (s *shell) runErrors(ctx context.Context, deployment string, limit int) error {
	if limit < 1 || limit > 1000 {
		return usagef("--limit is %d; it must be from 1 to 1000", limit)
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	groups, err := c.Errors(ctx, project, anchor.DeploymentID(deployment), limit)
	if err != nil {
		return err
	}
	return s.printResult(wire.Items[wire.ErrorGroup]{Items: groups}, func(w io.Writer) {
		if len(groups) == 0 {
			fmt.Fprintln(w, "The app has logged no errors.")
			return
		}
		now := time.Now().UnixMilli()
		rows := make([][]string, len(groups))
		for i, g := range groups {
			mark := ""
			if g.New {
				mark = s.paintText(red, "NEW")
			}
			rows[i] = []string{g.ID, countText(g.Count), formatSpan(now-g.Last) + " ago", mark, cutText(cleanText(g.Title), 38)}
		}
		s.printTable(w, []string{"ID", "COUNT", "LAST", "", "ERROR"}, rows)
	})
}

func (s *shell) runError(ctx context.Context, id string) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	g, err := c.Error(ctx, project, id)
	if err != nil {
		return err
	}
	return s.printResult(g, func(w io.Writer) {
		now := time.Now().UnixMilli()
		fmt.Fprintln(w, s.paintText(red, cleanText(g.Title)))
		if g.Location != "" {
			fmt.Fprintln(w, "in "+cleanText(g.Location))
		}
		fmt.Fprintf(w, "Seen %s, first %s ago, last %s ago.\n\n", pluralize(g.Count, "time"), formatSpan(now-g.First), formatSpan(now-g.Last))
		rows := make([][]string, len(g.Deployments))
		for i, d := range g.Deployments {
			rows[i] = []string{string(d.DeploymentID), countText(d.Count), formatSpan(now-d.First) + " ago", formatSpan(now-d.Last) + " ago"}
		}
		s.printTable(w, []string{"DEPLOYMENT", "COUNT", "FIRST", "LAST"}, rows)
		fmt.Fprintln(w, "\nThe last one:")
		s.logLine(w, g.Sample)
		if g.Sample.RequestID != "" {
			fmt.Fprintf(w, "\nFor the other lines of this request, run anchor logs --request-id %s\n", cleanText(g.Sample.RequestID))
		}
	})
}

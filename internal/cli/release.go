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

func (s *shell) rollbackCommand() *cobra.Command {
	var reload bool
	cmd := &cobra.Command{
		Use: "rollback [ID]", Short: "Roll back to the previous live deployment, or to ID", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var target anchor.DeploymentID
			if len(args) == 1 {
				target = anchor.DeploymentID(args[0])
			}
			return s.runRollback(cmd.Context(), wire.Rollback{TargetDeploymentID: target, ForceReload: reload})
		},
	}
	forceReloadFlag(cmd, &reload)
	return cmd
}

// forceReloadFlag adds the flag that ends skew protection for the tabs that are open.
func forceReloadFlag(cmd *cobra.Command, reload *bool) {
	cmd.Flags().BoolVar(reload, "force-reload", false, "make open tabs reload instead of using the deployment they loaded")
}

func (s *shell) runRollback(ctx context.Context, request wire.Rollback) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	r, err := c.Rollback(ctx, project, request)
	if err != nil {
		return err
	}
	return s.printResult(r, func(w io.Writer) {
		s.printSwitched(w, fmt.Sprintf("Rolled back to %s", r.NewLabel), r.PreviousLabel, r.RollbackTimeMS)
	})
}

func (s *shell) promoteCommand() *cobra.Command {
	var reload, cancel bool
	var split splitFlags
	cmd := &cobra.Command{
		Use: "promote ID", Short: "Make a deployment live, at once or step by step", Args: cobra.MaximumNArgs(1),
		Long: "Makes a deployment live: at once, unless it is a preview. The files of a preview\n" +
			"are deployed once more, with the run-time variables of production.\n\n" +
			"With --weight it gets a share of the traffic, and the live deployment keeps the\n" +
			"rest; anchor status shows what both answer.\n" +
			"Another --weight changes the share. Without it, the split ends with all traffic\n" +
			"at ID, and with --cancel at the deployment that was live before.",
		Example: "  anchor promote ID\n  anchor promote ID --weight 10 --guard --then 50 --then 100 --every 5m\n  anchor promote --cancel",
		RunE: func(cmd *cobra.Command, args []string) error {
			plan, err := split.plan(cmd)
			switch {
			case err != nil:
				return err
			case cancel && (len(args) > 0 || plan != nil || reload):
				return usagef("--cancel returns all traffic to the live deployment; use it alone")
			case cancel:
				return s.runCancelSplit(cmd.Context())
			case len(args) == 0:
				return usagef("promote needs the ID of a deployment, see anchor deployments")
			}
			return s.runPromote(cmd.Context(), anchor.DeploymentID(args[0]), wire.Promote{ForceReload: reload, Split: plan})
		},
	}
	forceReloadFlag(cmd, &reload)
	split.declareFlags(cmd)
	cmd.Flags().BoolVar(&cancel, "cancel", false, "end a split: return all traffic to the live deployment")
	return cmd
}

func (s *shell) runPromote(ctx context.Context, id anchor.DeploymentID, request wire.Promote) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	redeploy := s.newRedeploy(c, project)
	p, err := c.Promote(ctx, project, id, request)
	if err != nil {
		return err
	}
	if p.Redeployed {
		if !s.json {
			printWrapped(s.Err, "", cleanText(p.Message)+".")
		}
		return redeploy.follow(ctx, p.DeploymentID, p.BuildVariables)
	}
	return s.printResult(p, func(w io.Writer) {
		if p.Weight != 0 {
			s.printDone(w, fmt.Sprintf("%s gets %d %% of the traffic, %s the rest", p.NewLabel, p.Weight, p.PreviousLabel), p.PromoteTimeMS)
			return
		}
		s.printSwitched(w, fmt.Sprintf("%s is live", p.NewLabel), p.PreviousLabel, p.PromoteTimeMS)
	})
}

func (s *shell) printDone(w io.Writer, done string, ms int64) {
	fmt.Fprintf(w, "%s %s %s\n", s.paintText(green, "✓"), done, s.paintText(dim, "in "+formatDuration(time.Duration(ms)*time.Millisecond)))
}

func (s *shell) printSwitched(w io.Writer, done, before string, ms int64) {
	s.printDone(w, done, ms)
	if before != "" {
		fmt.Fprintln(w, s.paintText(dim, "  previously: "+before))
	}
}

func (s *shell) releasesCommand() *cobra.Command {
	var page pageFlags
	cmd := &cobra.Command{
		Use: "releases", Short: "List releases, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.runReleases(cmd.Context(), page) },
	}
	page.declareFlags(cmd)
	return cmd
}

func (s *shell) runReleases(ctx context.Context, page pageFlags) error {
	if err := page.checkFlags(); err != nil {
		return err
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	list, err := c.Releases(ctx, project, page.Page)
	if err != nil {
		return err
	}
	return s.printResult(list, func(w io.Writer) {
		if len(list.Items) == 0 {
			fmt.Fprintln(w, "Nothing has gone live yet.")
			return
		}
		var rows [][]string
		for _, r := range list.Items {
			rows = append(rows, []string{fmt.Sprint(r.Revision), string(r.Kind), formatAge(r.CreatedAt), string(r.Deployment), r.Version, splitText(r)})
		}
		s.printTable(w, []string{"#", "KIND", "AGE", "DEPLOYMENT", "VERSION", "SPLIT"}, rows)
		s.printMore(w, list.Next)
	})
}

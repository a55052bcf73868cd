package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func (s *shell) rollbackCommand() *cobra.Command {
	return &cobra.Command{
		Use: "rollback [ID]", Short: "Roll back to the previous live deployment, or to ID", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var target anchor.DeploymentID
			if len(args) == 1 {
				target = anchor.DeploymentID(args[0])
			}
			return s.rollback(cmd.Context(), target)
		},
	}
}

func (s *shell) rollback(ctx context.Context, target anchor.DeploymentID) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	r, err := c.Rollback(ctx, project, target)
	if err != nil {
		return err
	}
	return s.show(r, func(w io.Writer) {
		s.switched(w, fmt.Sprintf("Rolled back to %s", r.NewLabel), r.PreviousLabel, r.RollbackTimeMS)
	})
}

func (s *shell) promoteCommand() *cobra.Command {
	return &cobra.Command{
		Use: "promote ID", Short: "Make a deployment live", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return s.promote(cmd.Context(), anchor.DeploymentID(args[0]))
		},
	}
}

func (s *shell) promote(ctx context.Context, id anchor.DeploymentID) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	p, err := c.Promote(ctx, project, id)
	if err != nil {
		return err
	}
	return s.show(p, func(w io.Writer) {
		s.switched(w, fmt.Sprintf("%s is live", p.NewLabel), p.PreviousLabel, p.PromoteTimeMS)
	})
}

func (s *shell) switched(w io.Writer, done, before string, ms int64) {
	fmt.Fprintf(w, "%s %s %s\n", s.paint(green, "✓"), done, s.paint(dim, "in "+took(time.Duration(ms)*time.Millisecond)))
	if before != "" {
		fmt.Fprintln(w, s.paint(dim, "  previously: "+before))
	}
}

func (s *shell) releasesCommand() *cobra.Command {
	var page pageFlags
	cmd := &cobra.Command{
		Use: "releases", Short: "List releases, newest first", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.releases(cmd.Context(), page) },
	}
	page.declare(cmd)
	return cmd
}

func (s *shell) releases(ctx context.Context, page pageFlags) error {
	if err := page.check(); err != nil {
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
	return s.show(list, func(w io.Writer) {
		if len(list.Items) == 0 {
			fmt.Fprintln(w, "Nothing has gone live yet.")
			return
		}
		var rows [][]string
		for _, r := range list.Items {
			rows = append(rows, []string{fmt.Sprint(r.Revision), string(r.Kind), since(r.CreatedAt), string(r.Deployment), r.Version})
		}
		s.table(w, []string{"#", "KIND", "AGE", "DEPLOYMENT", "VERSION"}, rows)
		s.more(w, list.Next)
	})
}

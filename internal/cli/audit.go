package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) auditCommand() *cobra.Command {
	var actor string
	var limit int
	var before int64
	cmd := &cobra.Command{
		Use: "audit", Short: "List changes: who changed what, when and from where", Args: cobra.NoArgs,
		Long: "Lists changes, newest first: of the whole server, or with --project those in a\n" +
			"project. With --json, the entries contain the state before and after each\n" +
			"change.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > 200 {
				return usagef("--limit is %d; it must be from 1 to 200", limit)
			}
			return s.listAudit(cmd.Context(), actor, before, limit)
		},
	}
	cmd.Flags().StringVar(&actor, "by", "", "only changes by the person or token of this name or id")
	cmd.Flags().Int64Var(&before, "before", 0, "only entries before this number, for older ones")
	cmd.Flags().IntVarP(&limit, "limit", "n", 50, "number of entries, at most 200")
	return cmd
}

func (s *shell) listAudit(ctx context.Context, actor string, before int64, limit int) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	entries, err := c.Audit(ctx, s.project, actor, before, limit)
	if err != nil {
		return err
	}
	return s.printResult(wire.Items[anchor.AuditEntry]{Items: entries}, func(w io.Writer) {
		var rows [][]string
		for _, e := range entries {
			what := strings.Join(strings.Fields(e.Project+" "+e.Target), " ")
			rows = append(rows, []string{fmt.Sprint(e.Seq), formatAge(e.At), cleanText(e.Actor), e.Action, cleanText(what)})
		}
		s.printTable(w, []string{"NO.", "AGE", "WHO", "CHANGE", "OF"}, rows)
	})
}

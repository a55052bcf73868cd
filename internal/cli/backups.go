package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
)

func (s *shell) backupsCommand() *cobra.Command {
	cmd := parentCommand("backups", "List, make and verify copies of the records", &cobra.Command{
		Use: "ls", Short: "List the copies of the records", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.runBackups(cmd.Context()) },
	}, &cobra.Command{
		Use: "make", Short: "Copy the records now", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.runBackupsMake(cmd.Context()) },
	}, &cobra.Command{
		Use: "verify NAME", Short: "Check whether a copy can replace the records", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.runBackupsVerify(cmd.Context(), args[0]) },
	})
	cmd.Long = "Lists the copies of the records in the folder backups of the data folder. The\n" +
		"server makes one every six hours and keeps eight. A copy has no files of\n" +
		"deployments and no keys: back up the whole data folder, too\n" +
		"(docs/operations.md)."
	return cmd
}

func (s *shell) runBackups(ctx context.Context) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	all, err := c.Backups(ctx)
	if err != nil {
		return err
	}
	return s.printResult(listed(all), func(w io.Writer) {
		if len(all) == 0 {
			fmt.Fprintln(w, "There is no copy of the records yet. To make one, run anchor backups make.")
			return
		}
		rows := make([][]string, len(all))
		for i, b := range all {
			rows[i] = []string{b.Name, formatSize(b.Bytes), formatSpan(time.Now().UnixMilli()-b.MadeAt) + " ago"}
		}
		s.printTable(w, []string{"NAME", "SIZE", "MADE"}, rows)
	})
}

func (s *shell) runBackupsMake(ctx context.Context) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	b, err := c.MakeBackup(ctx)
	if err != nil {
		return err
	}
	return s.printResult(b, func(w io.Writer) { fmt.Fprintf(w, "Copied the records to %s (%s).\n", b.Name, formatSize(b.Bytes)) })
}

func (s *shell) runBackupsVerify(ctx context.Context, name string) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	if err := c.VerifyBackup(ctx, name); err != nil {
		return err
	}
	return s.printResult(map[string]string{"verified": name}, func(w io.Writer) { fmt.Fprintf(w, "%s is whole and can replace the records.\n", name) })
}

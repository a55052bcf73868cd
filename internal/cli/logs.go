package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

type logsOptions struct {
	follow     bool
	limit      int
	deployment string
}

func (s *shell) logsCommand() *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use: "logs", Short: "Show the app's log; -f to follow", Args: cobra.NoArgs,
		Long: "Shows the last lines of the app's log. With -f it also shows new lines until\n" +
			"you press Ctrl-C. With -f --json it prints one JSON document per line.",
		RunE: func(cmd *cobra.Command, _ []string) error { return s.runLogs(cmd.Context(), o) },
	}
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "show new lines as they arrive")
	cmd.Flags().IntVarP(&o.limit, "limit", "n", 200, "number of lines to show, at most 10000")
	cmd.Flags().StringVar(&o.deployment, "deployment", "", "show only lines of this deployment")
	return cmd
}

func (s *shell) runLogs(ctx context.Context, o logsOptions) error {
	if o.limit < 0 || o.limit > 10000 {
		return usagef("--limit is %d; it must be from 0 to 10000", o.limit)
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	if o.follow {
		return s.followLines(ctx, c.FollowLogs(ctx, project, anchor.DeploymentID(o.deployment), o.limit), s.logLine)
	}
	lines, err := c.Logs(ctx, project, anchor.DeploymentID(o.deployment), o.limit)
	if err != nil {
		return err
	}
	return s.printLines(lines, s.logLine)
}

// printLines prints the lines of a log as JSON with --json, else as print writes them.
func (s *shell) printLines(lines []anchor.LogLine, print func(io.Writer, anchor.LogLine)) error {
	return s.printResult(wire.Items[anchor.LogLine]{Items: lines}, func(w io.Writer) {
		for _, line := range lines {
			print(w, line)
		}
	})
}

// followLines prints the lines of a log as they come. Ctrl-C is how following ends.
func (s *shell) followLines(ctx context.Context, lines iter.Seq2[anchor.LogLine, error], print func(io.Writer, anchor.LogLine)) error {
	for line, err := range lines {
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return err
		case s.json:
			if err := json.NewEncoder(s.Out).Encode(line); err != nil {
				return fmt.Errorf("write a log line: %w", err)
			}
		default:
			print(s.Out, line)
		}
	}
	return nil
}

// logLine prints a line of the log, which is several when the app wrote them at
// once: a stack trace, for example.
func (s *shell) logLine(w io.Writer, line anchor.LogLine) {
	at := time.UnixMilli(line.Time).Format("15:04:05.000")
	head := s.paintText(dim, at+" "+shortID(line.DeploymentID)+" "+line.Function)
	for text := range strings.SplitSeq(strings.TrimRight(line.Text, "\n"), "\n") {
		text = cleanText(text)
		if line.Level == "error" {
			text = s.paintText(red, text)
		}
		fmt.Fprintln(w, strings.TrimRight(head+" "+text, " "))
		head = strings.Repeat(" ", len(at)) // the lines below belong to the first
	}
}

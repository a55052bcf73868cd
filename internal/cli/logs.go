package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

type logsOptions struct {
	follow       bool
	limit        int
	filter       anchor.LogFilter
	deployment   string
	since, until string
}

func (s *shell) logsCommand() *cobra.Command {
	var o logsOptions
	cmd := &cobra.Command{
		Use: "logs", Short: "Show and search the app's log; -f to follow", Args: cobra.NoArgs,
		Long: "Shows the last lines of the app's log that match all of the flags. With -f it\n" +
			"also shows new lines until you press Ctrl-C. With -f --json it prints one JSON\n" +
			"document per line.\n\n" +
			"A line that the app writes as a JSON object with msg or message, as pino and\n" +
			"winston do, has its level; the other members are shown behind the message.",
		Example: "  anchor logs -f\n  anchor logs --level error --since 1h\n  anchor logs --search timeout --deployment 01k…\n  anchor logs --request-id 01k…",
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.runLogs(cmd.Context(), o) },
	}
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "show new lines as they arrive")
	cmd.Flags().IntVarP(&o.limit, "limit", "n", 200, "number of lines to show, at most 10000")
	cmd.Flags().StringVar(&o.deployment, "deployment", "", "show only lines of this deployment")
	cmd.Flags().StringVar(&o.filter.Level, "level", "", "show only lines of this level or above: debug, info, warn, error")
	cmd.Flags().StringVar(&o.filter.Text, "search", "", "show only lines with this text, in upper or lower case")
	cmd.Flags().StringVar(&o.since, "since", "", "show only lines from this time on: 10m, 24h, or 2026-01-31T12:00:00Z")
	cmd.Flags().StringVar(&o.until, "until", "", "show only lines before this time, written as for --since")
	cmd.Flags().StringVar(&o.filter.RequestID, "request-id", "", "show only lines of the request with this X-Request-Id")
	cmd.Flags().StringVar(&o.filter.Path, "path", "", "show only lines of requests for this path")
	cmd.Flags().StringVar(&o.filter.Function, "function", "", "show only lines of this function, such as server")
	return cmd
}

func (s *shell) runLogs(ctx context.Context, o logsOptions) error {
	if o.limit < 0 || o.limit > 10000 {
		return usagef("--limit is %d; it must be from 0 to 10000", o.limit)
	}
	filter, err := o.logFilter(time.Now())
	if err != nil {
		return err
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	if o.follow {
		return s.followLines(ctx, c.FollowLogs(ctx, project, filter, o.limit), s.logLine)
	}
	lines, err := c.Logs(ctx, project, filter, o.limit)
	if err != nil {
		return err
	}
	return s.printLines(lines, s.logLine)
}

func (o logsOptions) logFilter(now time.Time) (f anchor.LogFilter, err error) {
	f = o.filter
	f.Deployment = anchor.DeploymentID(o.deployment)
	if f.Since, err = unixMilli("--since", o.since, now); err != nil {
		return f, err
	}
	if f.Until, err = unixMilli("--until", o.until, now); err != nil {
		return f, err
	}
	if o.follow && f.Until != 0 {
		return f, usagef("--until and --follow exclude each other")
	}
	return f, f.Check()
}

// unixMilli reads the value of a flag: how long ago, or a time of RFC 3339. An empty one is 0.
func unixMilli(flag, value string, now time.Time) (int64, error) {
	if value == "" {
		return 0, nil
	}
	if ago, err := time.ParseDuration(value); err == nil && ago >= 0 {
		return now.Add(-ago).UnixMilli(), nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return 0, usagef("%s is %q; it must be a duration such as 10m or 24h, or a time such as 2026-01-31T12:00:00Z", flag, value)
	}
	return at.UnixMilli(), nil
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
	for text := range strings.SplitSeq(strings.TrimRight(line.Text, "\n")+fieldsText(line.Fields), "\n") {
		text = cleanText(text)
		if line.Level == "error" {
			text = s.paintText(red, text)
		}
		fmt.Fprintln(w, strings.TrimRight(head+" "+text, " "))
		head = strings.Repeat(" ", len(at)) // the lines below belong to the first
	}
}

// fieldsText writes the fields of a line behind its message, each as name=value with the value in JSON.
func fieldsText(fields map[string]any) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		value, err := json.Marshal(fields[name])
		if err != nil {
			continue // it came as JSON
		}
		fmt.Fprintf(&b, " %s=%s", name, value)
	}
	return b.String()
}

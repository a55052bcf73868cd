package cli

import (
	"context"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) drainsCommand() *cobra.Command {
	cmd := parentCommand("drains", "Send copies of log lines to other servers", s.drainsAddCommand(), &cobra.Command{
		Use: "ls", Short: "List where copies of log lines go", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.runDrains(cmd.Context()) },
	}, &cobra.Command{
		Use: "rm ID", Short: "Send no more log lines there", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.runDrainsRemove(cmd.Context(), args[0]) },
	}, &cobra.Command{
		Use: "test ID", Short: "Send a test line now", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.runDrainsTest(cmd.Context(), args[0]) },
	})
	cmd.Long = "Sends copies of what apps print, and of the access log, to servers that keep or\n" +
		"search logs. A target that is slow or fails delays no visitor: 4 MiB of lines\n" +
		"wait for it, and lines that do not fit are dropped and counted."
	return cmd
}

func (s *shell) drainsAddCommand() *cobra.Command {
	var r wire.AddDrain
	var headers []string
	cmd := &cobra.Command{
		Use: "add (http|loki|otlp|syslog) URL", Short: "Send log lines to a server", Args: cobra.ExactArgs(2),
		Long: "Sends log lines to a server:\n\n" +
			"  http     JSON lines, compressed, by POST\n" +
			"  loki     the push API of Grafana Loki\n" +
			"  otlp     OpenTelemetry over HTTP, such as a collector\n" +
			"  syslog   RFC 5424, over TLS, TCP or UDP\n\n" +
			"With --project, only the lines of that project. Lines may arrive twice after\n" +
			"a broken connection. The URL and the headers are stored encrypted.",
		Example: "  anchor drains add http https://logs.example.com/lines --header @token.txt\n" +
			"  anchor drains add loki https://loki.example.com --header \"X-Scope-OrgID: shop\"\n" +
			"  anchor drains add syslog syslog+tls://logs.example.com --source app,access",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if r.Kind, r.URL, r.Project = args[0], args[1], s.project; !slices.Contains(anchor.DrainKinds, r.Kind) {
				return usagef("%q is not a kind of drain; use one of %s", r.Kind, strings.Join(anchor.DrainKinds, ", "))
			}
			for _, source := range r.Sources {
				if !slices.Contains(anchor.DrainSources, source) {
					return usagef("--source is %q; use %s", source, strings.Join(anchor.DrainSources, ", "))
				}
			}
			if r.Headers, err = parseHeaders(headers); err != nil {
				return err
			}
			return s.runDrainsAdd(cmd.Context(), r)
		},
	}
	cmd.Flags().StringSliceVar(&r.Sources, "source", nil, "what to send: "+strings.Join(anchor.DrainSources, ", ")+" (default: app)")
	cmd.Flags().StringArrayVar(&headers, "header", nil, "`header` of each request, NAME: VALUE, or @FILE with one in each line")
	return cmd
}

// parseHeaders reads headers as curl takes them: "NAME: VALUE", or "@FILE" for the lines of a file.
func parseHeaders(args []string) (map[string]string, error) {
	all := map[string]string{}
	for _, arg := range args {
		from := map[string]string{}
		var err error
		if name, isFile := strings.CutPrefix(arg, "@"); isFile {
			from, err = readHeaders(name)
		} else {
			err = addHeader(from, arg)
		}
		if err != nil {
			return nil, err
		}
		maps.Copy(all, from)
	}
	return all, nil
}

// readHeaders reads a file with NAME: VALUE in each line.
func readHeaders(name string) (map[string]string, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, usagef("read the headers: %v", err)
	}
	all := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := addHeader(all, line); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// addHeader adds a header. An error does not show it, as it may be secret.
func addHeader(all map[string]string, line string) error {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		return usagef("a header is not of the form NAME: VALUE")
	}
	all[strings.TrimSpace(name)] = strings.TrimSpace(value)
	return nil
}

func (s *shell) runDrainsAdd(ctx context.Context, r wire.AddDrain) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	added, err := c.AddDrain(ctx, r)
	if err != nil {
		return err
	}
	return s.printResult(added, func(w io.Writer) {
		fmt.Fprintf(w, "Log lines go to %s.\nTo send a test line, run anchor drains test %s\n", cleanText(added.Target), added.ID)
	})
}

func (s *shell) runDrains(ctx context.Context) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	drains, err := c.Drains(ctx)
	if err != nil {
		return err
	}
	return s.printResult(listed(drains), func(w io.Writer) {
		if len(drains) == 0 {
			fmt.Fprintln(w, "No log lines are sent. To add a drain, run anchor drains add --help.")
			return
		}
		s.drainTable(w, drains)
	})
}

func (s *shell) drainTable(w io.Writer, drains []anchor.Drain) {
	rows := make([][]string, len(drains))
	for i, d := range drains {
		state := "waits"
		switch {
		case d.LastError != "":
			state = s.paintText(red, "fails")
		case d.LastAt != 0:
			state = formatSpan(time.Now().UnixMilli()-d.LastAt) + " ago"
		}
		rows[i] = []string{d.ID, d.Kind, cutText(cleanText(d.Target), 22), fmt.Sprint(d.Sent), fmt.Sprint(d.Dropped), state}
	}
	s.printTable(w, []string{"ID", "KIND", "TARGET", "SENT", "LOST", "LAST"}, rows)
	for _, d := range drains {
		if d.LastError != "" {
			fmt.Fprintf(w, "\n%s: %s\n", d.ID, cleanText(d.LastError))
		}
	}
}

func (s *shell) runDrainsRemove(ctx context.Context, id string) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	if err := c.RemoveDrain(ctx, id); err != nil {
		return err
	}
	return s.printResult(map[string]string{"removed": id}, func(w io.Writer) { fmt.Fprintf(w, "Removed the drain %s.\n", id) })
}

func (s *shell) runDrainsTest(ctx context.Context, id string) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	if err := c.TestDrain(ctx, id); err != nil {
		return err
	}
	return s.printResult(map[string]string{"sent": id}, func(w io.Writer) { fmt.Fprintln(w, "The test line was sent.") })
}

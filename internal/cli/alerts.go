package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) alertsCommand() *cobra.Command {
	cmd := parentCommand("alerts", "Have troubles reported by webhook, to Slack or by e-mail", s.alertsAddCommand(), &cobra.Command{
		Use: "ls", Short: "List where alerts go", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.runAlerts(cmd.Context()) },
	}, &cobra.Command{
		Use: "rm ID", Short: "Send alerts there no more", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.runAlertsRemove(cmd.Context(), args[0]) },
	}, &cobra.Command{
		Use: "test ID", Short: "Send a test message now", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return s.runAlertsTest(cmd.Context(), args[0]) },
	})
	cmd.Long = "Reports troubles: new-error (the app logged an error that it never logged\n" +
		"before), error-rate (5 % of the requests of 5 minutes failed, at least 20),\n" +
		"failed-deploy, and server-check (a check of anchor doctor fails: disk,\n" +
		"certificates, names). A trouble is reported once, and once more when it is over."
	return cmd
}

func (s *shell) alertsAddCommand() *cobra.Command {
	var r wire.AddAlertChannel
	cmd := &cobra.Command{
		Use: "add (webhook|slack|email) TARGET", Short: "Send alerts to a URL or an e-mail address", Args: cobra.ExactArgs(2),
		Long: "Sends alerts to the URL of a webhook, to an incoming webhook of Slack (or of\n" +
			"Mattermost, Discord with /slack, …), or by e-mail to an address.\n\n" +
			"A webhook is a POST of JSON, signed as Standard Webhooks describe\n" +
			"(https://www.standardwebhooks.com) with the secret that this command prints.\n" +
			"With --project, the channel gets only what concerns that project.",
		Example: "  anchor alerts add slack https://hooks.slack.com/services/…\n  anchor alerts add webhook https://example.com/hook --on new-error,error-rate\n" +
			"  anchor alerts add email ops@example.com --from anchor@example.com --smtp URL",
		RunE: func(cmd *cobra.Command, args []string) error {
			if r.Kind, r.Project = args[0], s.project; !slices.Contains(anchor.AlertKinds, r.Kind) {
				return usagef("%q is not a kind of channel; use one of %s", r.Kind, strings.Join(anchor.AlertKinds, ", "))
			}
			if r.URL = args[1]; r.Kind == "email" {
				r.URL, r.To = "", args[1]
			}
			return s.runAlertsAdd(cmd.Context(), r)
		},
	}
	cmd.Flags().StringSliceVar(&r.Events, "on", nil, "what to report (default: all): "+strings.Join(anchor.AlertEvents, ", "))
	cmd.Flags().StringVar(&r.SMTP, "smtp", "", "SMTP server for e-mail: smtp://USER:PASSWORD@HOST:587 or smtps://…")
	cmd.Flags().StringVar(&r.From, "from", "", "address that e-mails come from")
	return cmd
}

func (s *shell) runAlertsAdd(ctx context.Context, r wire.AddAlertChannel) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	added, err := c.AddAlertChannel(ctx, r)
	if err != nil {
		return err
	}
	return s.printResult(added, func(w io.Writer) {
		fmt.Fprintf(w, "Alerts go to %s.\n", cleanText(added.Target))
		if added.Secret != "" {
			fmt.Fprintf(w, "The secret that signs them, shown once: %s\n", added.Secret)
		}
		fmt.Fprintf(w, "To send a test message, run anchor alerts test %s\n", added.ID)
	})
}

func (s *shell) runAlerts(ctx context.Context) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	channels, err := c.AlertChannels(ctx)
	if err != nil {
		return err
	}
	return s.printResult(wire.Items[anchor.AlertChannel]{Items: channels}, func(w io.Writer) {
		if len(channels) == 0 {
			fmt.Fprintln(w, "No alerts are sent. To add a channel, run anchor alerts add --help.")
			return
		}
		now := time.Now().UnixMilli()
		rows := make([][]string, len(channels))
		for i, ch := range channels {
			last := "-"
			switch {
			case ch.LastError != "":
				last = s.paintText(red, "failed "+formatSpan(now-ch.LastAt)+" ago")
			case ch.LastAt != 0:
				last = formatSpan(now-ch.LastAt) + " ago"
			}
			rows[i] = []string{ch.ID, ch.Kind, cutText(cleanText(ch.Target), 26), last}
		}
		s.printTable(w, []string{"ID", "KIND", "TARGET", "LAST"}, rows)
		for _, ch := range channels {
			if ch.LastError != "" {
				fmt.Fprintf(w, "\n%s: %s\n", ch.ID, cleanText(ch.LastError))
			}
		}
	})
}

func (s *shell) runAlertsRemove(ctx context.Context, id string) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	if err := c.RemoveAlertChannel(ctx, id); err != nil {
		return err
	}
	return s.printResult(map[string]string{"removed": id}, func(w io.Writer) { fmt.Fprintf(w, "Removed the channel %s.\n", id) })
}

func (s *shell) runAlertsTest(ctx context.Context, id string) error {
	c, err := s.newClient()
	if err != nil {
		return err
	}
	if err := c.TestAlertChannel(ctx, id); err != nil {
		return err
	}
	return s.printResult(map[string]string{"sent": id}, func(w io.Writer) { fmt.Fprintln(w, "The test message was sent.") })
}

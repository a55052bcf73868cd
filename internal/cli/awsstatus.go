package cli

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/aws/installation"
)

func (o *awsOptions) statusCommand() *cobra.Command {
	return &cobra.Command{
		Use: "status", Short: "Show the state of the installation", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.runStatus(cmd.Context()) },
	}
}

func (o *awsOptions) runStatus(ctx context.Context) error {
	i, err := o.openInstallation(ctx, newProgress(o.shell))
	if err != nil {
		return err
	}
	st, err := i.Status(ctx)
	if err != nil {
		return err
	}
	return o.shell.printResult(st, func(w io.Writer) { o.shell.installationState(w, st) })
}

func (s *shell) installationState(w io.Writer, st installation.Status) {
	fmt.Fprintf(w, "%s in %s\n\n", s.paintText(bold, st.Installation), describePlace(st.Outputs))
	state := fmt.Sprintf("%s, %s", st.Stack, formatAge(st.ChangedAt))
	if st.Reason != "" {
		state += ": " + cleanText(st.Reason)
	}
	projects := "none"
	if len(st.Projects) > 0 {
		projects = fmt.Sprintf("%d: %s", len(st.Projects), strings.Join(st.Projects, ", "))
	}
	for _, row := range [][2]string{
		{"Stack", state}, {"Version", st.Version}, {"API", st.APIURL}, {"Projects", projects}, {"Drift", describeDrift(st.Drift)},
		{"Costs", describeCosts(st)},
	} {
		if row[1] != "" {
			fmt.Fprintf(w, "  %s %s\n", s.paintText(dim, padText(row[0], 8)), row[1])
		}
	}
	for _, hint := range st.Hints {
		fmt.Fprintf(w, "\n%s\n", hint)
	}
}

func describeCosts(st installation.Status) string {
	text := fmt.Sprintf("%.2f USD a month without visitors, by list prices", st.IdleUSD)
	if st.StartedUSD > 0 {
		text += fmt.Sprintf("\n           %.2f of it for instances that are kept started", st.StartedUSD)
	}
	return text
}

func describeDrift(status string) string {
	switch status {
	case "IN_SYNC":
		return "none at the last check"
	case "DRIFTED":
		return "found"
	}
	return "never checked"
}

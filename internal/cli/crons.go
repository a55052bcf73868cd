package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
)

func (s *shell) cronsCommand() *cobra.Command {
	list := func(cmd *cobra.Command, _ []string) error { return s.runCrons(cmd.Context()) }
	ls := &cobra.Command{Use: "ls", Short: "List the crons of the live deployment", Args: cobra.NoArgs, RunE: list}
	cmd := parentCommand("crons", "List, run and pause the crons of a project", ls, s.cronLogsCommand(), s.runCronCommand(),
		s.pauseCronCommand("pause", "Stop running a cron on its schedule", true),
		s.pauseCronCommand("resume", "Run a paused cron on its schedule again", false))
	cmd.Long = "Without a command, lists the crons of the live deployment. They are set in\n" +
		"anchor.json, or in vercel.json if anchor.json has none:\n\n" +
		"  \"crons\": [{\"path\": \"/api/digest\", \"schedule\": \"0 5 * * *\"}]\n\n" +
		"The server requests the path of the live deployment by GET, with the value of\n" +
		"the variable CRON_SECRET as bearer token. Schedules are in UTC. A run that is\n" +
		"due while the run before has not ended is skipped. Previews run no crons."
	cmd.RunE = list
	return cmd
}

func (s *shell) runCrons(ctx context.Context) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	crons, err := c.Crons(ctx, project)
	if err != nil {
		return err
	}
	return s.printResult(listed(crons), func(w io.Writer) { s.cronTable(w, crons) })
}

// listed is the JSON document of a list that has one page only.
func listed[T any](items []T) map[string][]T { return map[string][]T{"items": items} }

func (s *shell) cronTable(w io.Writer, crons []anchor.CronState) {
	if len(crons) == 0 {
		fmt.Fprintln(w, "The live deployment has no crons. Set crons in anchor.json and deploy.")
		return
	}
	rows := make([][]string, 0, len(crons))
	for _, c := range crons {
		next, last := "paused", "-"
		if !c.Paused {
			next = formatUTC(c.NextAt)
		}
		if c.LastRun != nil {
			last = string(c.LastRun.Status) + ", " + formatAge(c.LastRun.DueAt)
		}
		rows = append(rows, []string{cleanText(c.Path), c.Schedule, next, last})
	}
	s.printTable(w, []string{"PATH", "SCHEDULE", "NEXT (UTC)", "LAST RUN"}, rows)
}

func formatUTC(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02 15:04") }

func (s *shell) cronLogsCommand() *cobra.Command {
	var limit int
	cmd := &cobra.Command{
		Use: "logs [PATH]", Short: "List runs of crons, newest first", Args: cobra.MaximumNArgs(1),
		Long: "Lists runs of crons, newest first, missed and skipped ones too. What the app\n" +
			"printed during a run is in anchor logs, under the id of the run.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > 1000 {
				return usagef("-n is %d; it takes 1 to 1000", limit)
			}
			return s.cronLogs(cmd.Context(), append(args, "")[0], limit)
		},
	}
	cmd.Flags().IntVarP(&limit, "limit", "n", 20, "runs to show")
	return cmd
}

func (s *shell) cronLogs(ctx context.Context, path string, limit int) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	runs, err := c.CronRuns(ctx, project, path, limit)
	if err != nil {
		return err
	}
	return s.printResult(listed(runs), func(w io.Writer) {
		if len(runs) == 0 {
			fmt.Fprintln(w, "No runs yet.")
			return
		}
		rows := make([][]string, 0, len(runs))
		for _, r := range runs {
			rows = append(rows, []string{formatUTC(r.DueAt), r.ID, cleanText(r.Path), string(r.Status), describeRun(r)})
		}
		s.printTable(w, []string{"DUE (UTC)", "RUN", "PATH", "STATUS", ""}, rows)
	})
}

// describeRun says how a run ended.
func describeRun(r anchor.CronRun) string {
	took := ""
	if r.EndedAt > 0 && r.StartedAt > 0 {
		took = formatDuration(time.Duration(r.EndedAt-r.StartedAt) * time.Millisecond)
	}
	switch r.Status {
	case anchor.CronSucceeded:
		return strconv.Itoa(r.HTTPStatus) + " in " + took
	case anchor.CronMissed:
		return pluralize(r.Count, "run")
	case anchor.CronFailed:
		return cleanText(r.Message) + " after " + took
	}
	return cleanText(r.Message)
}

func (s *shell) runCronCommand() *cobra.Command {
	return &cobra.Command{
		Use: "run PATH", Short: "Run a cron now and wait for its end", Args: cobra.ExactArgs(1),
		Example: "  anchor crons run /api/digest",
		RunE:    func(cmd *cobra.Command, args []string) error { return s.runCron(cmd.Context(), args[0]) },
	}
}

func (s *shell) runCron(ctx context.Context, path string) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	run, err := c.StartCron(ctx, project, path)
	if err == nil {
		run, err = awaitRun(ctx, c, project, run)
	}
	if err != nil {
		return err
	}
	if run.Status != anchor.CronSucceeded {
		return anchor.Failed("cron_failed", "the cron %s %s: %s", path, run.Status, run.Message).
			Hintf("To see what the app printed, run anchor logs. The id of the run is %s.", run.ID)
	}
	return s.printResult(run, func(w io.Writer) {
		fmt.Fprintf(w, "%s %s answered %s\n", s.paintText(green, "✓"), cleanText(path), describeRun(run))
	})
}

// awaitRun asks for a run until it has ended.
func awaitRun(ctx context.Context, c *client.Client, project string, run anchor.CronRun) (anchor.CronRun, error) {
	for tick := time.NewTicker(300 * time.Millisecond); ; {
		runs, err := c.CronRuns(ctx, project, run.Path, 20)
		if err != nil {
			return run, err
		}
		for _, r := range runs {
			if r.ID == run.ID && r.Status != anchor.CronRunning {
				tick.Stop()
				return r, nil
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			tick.Stop()
			return run, ctx.Err()
		}
	}
}

func (s *shell) pauseCronCommand(use, short string, paused bool) *cobra.Command {
	return &cobra.Command{
		Use: use + " PATH", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			crons, err := c.PauseCron(cmd.Context(), project, args[0], paused)
			if err != nil {
				return err
			}
			return s.printResult(listed(crons), func(w io.Writer) { s.cronTable(w, crons) })
		},
	}
}

package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) statsCommand() *cobra.Command {
	var last time.Duration
	cmd := &cobra.Command{
		Use: "stats [PROJECT]", Short: "Show traffic, errors and latency by deployment", Args: cobra.MaximumNArgs(1),
		Long: "Shows the traffic of the last minutes: the live deployment, and below it those\n" +
			"that were asked before or beside it, so that you see what a release changed.\n\n" +
			"ERRORS is the share of responses with a status of 5xx. CACHED is the share of\n" +
			"stored answers among those that can be stored. P50, P95 and P99 are the times\n" +
			"within which that share of all requests was answered, static files included.\n" +
			"Metrics for Prometheus are at /metrics of the API.",
		Example: "  anchor stats\n  anchor stats shop --last 24h",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				s.project = args[0]
			}
			return s.runStats(cmd.Context(), last)
		},
	}
	cmd.Flags().DurationVar(&last, "last", 5*time.Minute, "how far to look back, from 10s to 720h (30 days)")
	return cmd
}

func (s *shell) runStats(ctx context.Context, last time.Duration) error {
	if last < 10*time.Second || last > 30*24*time.Hour {
		return usagef("--last is %s; it must be from 10s to 720h", last)
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	stats, err := c.Stats(ctx, project, last)
	if err != nil {
		return err
	}
	return s.printResult(stats, func(w io.Writer) { s.statsTable(w, project, stats) })
}

func (s *shell) statsTable(w io.Writer, project string, stats wire.Stats) {
	if len(stats.Deployments) == 0 {
		fmt.Fprintf(w, "%s has had no requests and has no live deployment. Run anchor deploy.\n", project)
		return
	}
	var rows [][]string
	for _, d := range stats.Deployments {
		live := ""
		if d.Live {
			live = "live"
		}
		rows = append(rows, append([]string{shortID(d.DeploymentID), live}, trafficCells(d.Traffic)...))
	}
	if len(stats.Deployments) > 1 {
		rows = append(rows, append([]string{"all", ""}, trafficCells(stats.Total)...))
	}
	s.printTable(w, []string{"ID", "", "REQUESTS", "PER S", "ERRORS", "CACHED", "P50", "P95", "P99"}, rows)
	fmt.Fprintf(w, "\nWithin the last %s.\n", formatSpan(int64(stats.Total.Seconds*1000)))
}

func trafficCells(t wire.Traffic) []string {
	cached := "-"
	if t.CacheHitRatio != nil {
		cached = shareText(*t.CacheHitRatio)
	}
	cells := []string{countText(t.Requests), rateText(t.PerSecond), shareText(t.ErrorShare), cached}
	if t.Requests == 0 {
		return append(cells[:2], "-", "-", "-", "-", "-")
	}
	return append(cells, latencyText(t.P50MS), latencyText(t.P95MS), latencyText(t.P99MS))
}

// rateText formats requests for each second. A rate that is not 0 does not look like 0.
func rateText(perSecond float64) string {
	if perSecond > 0 && perSecond < 0.1 {
		return "<0.1"
	}
	return strconv.FormatFloat(perSecond, 'f', 1, 64)
}

// shareText formats a share of 0 to 1. One that is not 0 does not look like 0, nor another than 1
// like 1.
func shareText(share float64) string {
	switch percent := share * 100; {
	case share > 0 && percent < 0.1:
		return "<0.1%"
	case share < 1 && percent > 99.9:
		return ">99.9%"
	default:
		return strconv.FormatFloat(percent, 'f', 1, 64) + "%"
	}
}

func latencyText(ms float64) string {
	switch {
	case ms < 10:
		return strconv.FormatFloat(ms, 'f', 1, 64) + "ms"
	case ms < 10_000:
		return strconv.FormatFloat(ms, 'f', 0, 64) + "ms"
	default:
		return strconv.FormatFloat(ms/1000, 'f', 0, 64) + "s"
	}
}

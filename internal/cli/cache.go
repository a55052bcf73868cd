package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) cacheCommand() *cobra.Command {
	cmd := parentCommand("cache", "Show and purge what the edge stores of a project",
		s.cacheStatsCommand(), s.cacheListCommand(), s.cachePurgeCommand())
	cmd.Long = "The edge stores pages and optimized images that visitors may share, for each\n" +
		"deployment by itself. What an app revalidates is removed without a purge. On\n" +
		"AWS, CloudFront stores them."
	return cmd
}

func (s *shell) cacheStatsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "stats", Short: "Show how many answers are stored and sent", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			stats, err := c.Cache(cmd.Context(), project)
			if err != nil {
				return err
			}
			return s.printResult(stats, func(w io.Writer) { s.cacheTable(w, stats) })
		},
	}
}

func (s *shell) cacheTable(w io.Writer, stats wire.Cache) {
	if !stats.Enabled {
		fmt.Fprintln(w, "The server runs without the cache (anchor up --page-cache-mib 0).")
		return
	}
	rows := make([][]string, len(stats.Deployments))
	for i, d := range stats.Deployments {
		live := ""
		if d.Live {
			live = "live"
		}
		rows[i] = []string{
			string(d.DeploymentID), live, strconv.Itoa(d.Entries), formatSize(d.Bytes),
			countText(d.Hits + d.Stale), countText(d.Misses), countText(d.Passed),
		}
	}
	s.printTable(w, []string{"DEPLOYMENT", "", "STORED", "SIZE", "HITS", "MISSES", "PASSED"}, rows)
	fmt.Fprintf(w, "\nAll projects together take %s of %s in memory", formatSize(stats.UsedBytes), capacityText(stats.CapacityBytes))
	if stats.Disk.CapacityBytes > 0 {
		fmt.Fprintf(w, ",\nand %s of %s on disk", formatSize(stats.Disk.UsedBytes), capacityText(stats.Disk.CapacityBytes))
	}
	fmt.Fprintln(w, ".")
	if stats.Disk.Problem != "" {
		fmt.Fprintf(w, "Nothing can be written to disk at the moment (see anchor doctor): %s\n", cleanText(stats.Disk.Problem))
	}
}

// capacityText formats a size that a flag sets in MiB.
func capacityText(n int64) string { return strconv.FormatInt(n>>20, 10) + " MiB" }

func (s *shell) cachePurgeCommand() *cobra.Command {
	var which wire.PurgeCache
	var deployment string
	cmd := &cobra.Command{
		Use: "purge", Short: "Remove stored answers of the project", Args: cobra.NoArgs,
		Long: "Removes the stored answers to which all flags apply; without flags, all answers\n" +
			"of the project. Requests that arrive after the command ends do not get them.",
		Example: "  anchor cache purge\n  anchor cache purge --url https://shop.example.com/products/1\n" +
			"  anchor cache purge --prefix /products/\n  anchor cache purge --tag news",
		RunE: func(cmd *cobra.Command, _ []string) error {
			which.DeploymentID = anchor.DeploymentID(deployment)
			return s.cachePurge(cmd.Context(), which)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&which.URL, "url", "", "answers at this address, or at this path on all hosts")
	flags.StringVar(&which.Prefix, "prefix", "", "answers whose address, or path on all hosts, begins so")
	flags.StringVar(&which.Tag, "tag", "", "answers with this tag, and those whose tags are unknown")
	flags.StringVar(&deployment, "deployment", "", "answers of this deployment")
	cmd.MarkFlagsMutuallyExclusive("url", "prefix")
	return cmd
}

func (s *shell) cachePurge(ctx context.Context, which wire.PurgeCache) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	purged, err := c.PurgeCache(ctx, project, which)
	if err != nil {
		return err
	}
	return s.printResult(purged, func(w io.Writer) {
		fmt.Fprintf(w, "Removed %s of %s.\n", pluralize(int64(purged.Purged), "answer"), project)
	})
}

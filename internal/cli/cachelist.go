package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

func (s *shell) cacheListCommand() *cobra.Command {
	var page pageFlags
	var which wire.PurgeCache
	var deployment string
	cmd := &cobra.Command{
		Use: "list", Aliases: []string{"ls"}, Short: "List the stored answers of the project", Args: cobra.NoArgs,
		Long: "Lists the stored answers to which all flags apply, sorted by address. FRESH is\n" +
			"how long an answer stays fresh: a stale one is refreshed when it is asked for.\n" +
			"The --json output has all tags and request headers that select an answer.",
		Example: "  anchor cache ls\n  anchor cache ls --prefix /products/ --limit 100\n  anchor cache ls --tag news",
		RunE: func(cmd *cobra.Command, _ []string) error {
			which.DeploymentID = anchor.DeploymentID(deployment)
			return s.cacheList(cmd.Context(), which, page)
		},
	}
	page.declareFlags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&which.Prefix, "prefix", "", "answers whose address, or path on all hosts, begins so")
	flags.StringVar(&which.Tag, "tag", "", "answers with this tag, and those whose tags are unknown")
	flags.StringVar(&deployment, "deployment", "", "answers of this deployment")
	return cmd
}

func (s *shell) cacheList(ctx context.Context, which wire.PurgeCache, page pageFlags) error {
	if err := page.checkFlags(); err != nil {
		return err
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	list, err := c.CachedAnswers(ctx, project, which, page.Page)
	if err != nil {
		return err
	}
	return s.printResult(list, func(w io.Writer) {
		if len(list.Items) == 0 {
			fmt.Fprintln(w, "No stored answers.")
			return
		}
		rows := make([][]string, len(list.Items))
		for i, a := range list.Items {
			rows[i] = answerRow(a)
		}
		s.printTable(w, []string{"STATUS", "AGE", "FRESH", "SIZE", "HITS", "IN", "URL", "TAGS"}, rows)
		s.printMore(w, list.Next)
	})
}

func answerRow(a wire.CachedAnswer) []string {
	fresh, in := "stale", "memory"
	if a.FreshSeconds > 0 {
		fresh = formatSpan(a.FreshSeconds * 1000)
	}
	if a.OnDisk {
		in = "disk"
	}
	return []string{
		strconv.Itoa(a.Status), formatSpan(a.AgeSeconds * 1000), fresh, formatSize(a.Bytes), countText(a.Hits), in,
		cleanText(a.URL), cleanText(strings.Join(a.Tags, ", ")),
	}
}

package cli

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

type retentionFlags struct{ keep, days string }

func (s *shell) retentionCommand() *cobra.Command {
	var f retentionFlags
	cmd := &cobra.Command{
		Use: "retention", Short: "Show and set which previews are kept", Args: cobra.NoArgs,
		Long: "Shows which previews of the project are kept, or sets it; what is not named\n" +
			"stays. The value default removes a setting: the one of the server applies then\n" +
			"(anchor up --keep-previews and --preview-days). Previews over the number are\n" +
			"removed after the next deployment; those that are too old within an hour, on\n" +
			"AWS within a day. What is live or was live is not a preview.",
		Example: "  anchor previews retention\n  anchor previews retention --days 30 --keep 20\n  anchor previews retention --days default",
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.runRetention(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.keep, "keep", "", "number of previews, 1 to 1000, or default")
	cmd.Flags().StringVar(&f.days, "days", "", "age of the oldest preview in days, 1 to 3650, or default")
	return cmd
}

func (s *shell) runRetention(ctx context.Context, f retentionFlags) error {
	if _, err := f.applyOver(anchor.PreviewRetention{}); err != nil {
		return err // before the server is asked
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	kept, err := c.PreviewRetention(ctx, project)
	if err != nil {
		return err
	}
	if f != (retentionFlags{}) {
		set, err := f.applyOver(kept.Set)
		if err != nil {
			return err
		}
		if kept, err = c.SetPreviewRetention(ctx, project, set); err != nil {
			return err
		}
	}
	return s.printResult(kept, func(w io.Writer) { s.retentionTable(w, kept) })
}

// applyOver returns r with what the flags name.
func (f retentionFlags) applyOver(r anchor.PreviewRetention) (anchor.PreviewRetention, error) {
	for _, one := range []struct {
		flag, text string
		to         *int
	}{{"keep", f.keep, &r.Keep}, {"days", f.days, &r.Days}} {
		n, err := strconv.Atoi(one.text)
		switch {
		case one.text == "":
			continue
		case one.text == "default":
			n = 0
		case err != nil || n == 0: // 0 would be the default, which nobody means by it
			return r, usagef("--%s is %q; it takes a whole number from 1, or default", one.flag, one.text)
		}
		*one.to = n
	}
	return r, anchor.CheckPreviewRetention(r)
}

func (s *shell) retentionTable(w io.Writer, kept anchor.ProjectPreviewRetention) {
	from := func(set int) string {
		if set == 0 {
			return "server's default"
		}
		return "previews retention"
	}
	days := "any age"
	if kept.Effective.Days > 0 {
		days = pluralize(int64(kept.Effective.Days), "day")
	}
	s.printTable(w, []string{"PREVIEWS", "KEPT", "FROM"}, [][]string{
		{"number", fmt.Sprint(kept.Effective.Keep), from(kept.Set.Keep)},
		{"age", days, from(kept.Set.Days)},
	})
}

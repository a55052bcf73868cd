package cli

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

func (s *shell) limitsCommand() *cobra.Command {
	cmd := parentCommand("limits", "Show and set what a project may take of the machine", s.setLimitsCommand(), s.resetLimitsCommand())
	cmd.Long = "Shows the limits of the project, what it takes now, and how the server enforces\n" +
		"each limit: for all processes of the project together, for each process by\n" +
		"itself, or not at all. A project without limits may take what the machine has."
	cmd.Args = cobra.NoArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return s.runLimits(cmd.Context()) }
	return cmd
}

func (s *shell) runLimits(ctx context.Context) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	limits, err := c.Limits(ctx, project)
	if err != nil {
		return err
	}
	return s.printResult(limits, func(w io.Writer) { s.limitTable(w, limits) })
}

type limitFlags struct{ memory, cpu, processes string }

func (s *shell) setLimitsCommand() *cobra.Command {
	var f limitFlags
	cmd := &cobra.Command{
		Use: "set", Short: "Set limits; the ones that are not named stay", Args: cobra.NoArgs,
		Long: "Sets limits of the project. They apply at once, to running workers too: if the\n" +
			"project takes more memory than the new limit, some of its processes are killed\n" +
			"and started again. The value none removes a limit.",
		Example: "  anchor limits set --memory 512M --cpu 1.5 --processes 200\n  anchor limits set --cpu none",
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.setLimits(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.memory, "memory", "", "memory of all processes together, for example 512M or 2G")
	cmd.Flags().StringVar(&f.cpu, "cpu", "", "processor cores of all processes together, for example 0.5 or 2")
	cmd.Flags().StringVar(&f.processes, "processes", "", "processes and threads together, at least 64")
	return cmd
}

func (s *shell) setLimits(ctx context.Context, f limitFlags) error {
	if f == (limitFlags{}) {
		return usagef("nothing to set; name --memory, --cpu or --processes")
	}
	if _, err := f.applyOver(anchor.Limits{}); err != nil {
		return err // before the server is asked
	}
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	now, err := c.Limits(ctx, project)
	if err != nil {
		return err
	}
	limits, err := f.applyOver(now.Limits)
	if err != nil {
		return err
	}
	set, err := c.SetLimits(ctx, project, limits)
	if err != nil {
		return err
	}
	return s.printResult(set, func(w io.Writer) { s.limitTable(w, set) })
}

func (s *shell) resetLimitsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "reset", Short: "Remove all limits", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, project, err := s.inProject()
			if err != nil {
				return err
			}
			limits, err := c.SetLimits(cmd.Context(), project, anchor.Limits{})
			if err != nil {
				return err
			}
			return s.printResult(limits, func(w io.Writer) { fmt.Fprintf(w, "%s has no limits any more.\n", project) })
		},
	}
}

// applyOver returns l with the limits that flags name.
func (f limitFlags) applyOver(l anchor.Limits) (anchor.Limits, error) {
	for _, one := range []struct {
		flag, text string
		to         *int64
		parse      func(string) (int64, bool)
		want       string
	}{
		{"memory", f.memory, &l.MemoryBytes, parseBytes, "a size such as 512M or 2G, or none"},
		{"cpu", f.cpu, &l.CPUMillis, parseCores, "cores such as 0.5 or 2, or none"},
		{"processes", f.processes, &l.Processes, parseCount, "a number such as 200, or none"},
	} {
		if one.text == "" {
			continue
		}
		value, ok := one.parse(one.text)
		switch {
		case one.text == "none":
			value = 0
		case !ok || value == 0: // 0 would remove the limit, which nobody means by it
			return l, usagef("--%s is %q; it takes %s", one.flag, one.text, one.want)
		}
		*one.to = value
	}
	return l, anchor.CheckLimits(l)
}

// parseBytes reads a number of bytes, or of the units of 1024 that a letter names, as systemd and Docker do.
func parseBytes(text string) (int64, bool) {
	number, unit := strings.TrimRight(text, "KMGTkmgtiB"), int64(1)
	switch strings.ToUpper(strings.TrimSuffix(strings.TrimSuffix(text[len(number):], "B"), "i")) {
	case "":
	case "K":
		unit = 1 << 10
	case "M":
		unit = 1 << 20
	case "G":
		unit = 1 << 30
	case "T":
		unit = 1 << 40
	default:
		return 0, false
	}
	return parseTimes(number, unit)
}

func parseCores(text string) (int64, bool) { return parseTimes(text, 1000) }

func parseCount(text string) (int64, bool) {
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// parseTimes reads a decimal number of units, which is not negative.
func parseTimes(text string, unit int64) (int64, bool) {
	n, err := strconv.ParseFloat(text, 64)
	if err != nil || !(n >= 0) || n*float64(unit) >= math.MaxInt64 {
		return 0, false
	}
	return int64(math.Round(n * float64(unit))), true
}

func (s *shell) limitTable(w io.Writer, l anchor.ProjectLimits) {
	s.printTable(w, []string{"LIMIT", "VALUE", "NOW", "ENFORCED FOR"}, [][]string{
		{"memory", limitOr(l.Limits.MemoryBytes, bytesText), usageOr(l.Usage.MemoryBytes, bytesText), reachText(l.Enforced.Memory)},
		{"cpu", limitOr(l.Limits.CPUMillis, coresText), "-", reachText(l.Enforced.CPU)},
		{"processes", limitOr(l.Limits.Processes, countText), usageOr(l.Usage.Processes, countText), reachText(l.Enforced.Processes)},
	})
	if l.Usage.MemoryKills > 0 {
		fmt.Fprintf(w, "\n%s killed at the memory limit since the server started.\n", pluralize(l.Usage.MemoryKills, "worker"))
	}
	if l.Enforced.Why != "" {
		fmt.Fprintln(w)
		printWrapped(w, "", "Not every limit is enforced for the project: "+cleanText(l.Enforced.Why)+". "+l.Enforced.Hint)
	}
}

func limitOr(n int64, text func(int64) string) string {
	if n == 0 {
		return "none"
	}
	return text(n)
}

func usageOr(n int64, text func(int64) string) string {
	if n == 0 {
		return "-" // not counted, or nothing runs
	}
	return text(n)
}

func reachText(r anchor.Reach) string {
	switch r {
	case anchor.ReachProject:
		return "the project"
	case anchor.ReachProcess:
		return "each process by itself"
	}
	return "nothing: not enforced"
}

// bytesText writes bytes in the largest unit that parseBytes reads back with at most one decimal.
func bytesText(n int64) string {
	unit, letter := int64(1), ""
	for _, u := range []struct {
		size   int64
		letter string
	}{{1 << 10, "K"}, {1 << 20, "M"}, {1 << 30, "G"}, {1 << 40, "T"}} {
		if n >= u.size {
			unit, letter = u.size, u.letter
		}
	}
	return strings.TrimSuffix(strconv.FormatFloat(float64(n)/float64(unit), 'f', 1, 64), ".0") + letter
}

func coresText(n int64) string { return strconv.FormatFloat(float64(n)/1000, 'f', -1, 64) }
func countText(n int64) string { return strconv.FormatInt(n, 10) }

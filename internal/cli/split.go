package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
)

// splitFlags are the flags of a release that moves traffic step by step.
type splitFlags struct {
	weight        int
	sticky, guard bool
	then          []int
	every         time.Duration
}

func (f *splitFlags) declareFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&f.weight, "weight", 0, "percentage of the requests that the deployment gets, 1 to 99 (default: all)")
	flags.BoolVar(&f.sticky, "sticky", false, "with --weight: divide by visitor, by a cookie, and not by request")
	flags.IntSliceVar(&f.then, "then", nil, "with --weight: percentage of the next step; repeat it for more steps")
	flags.DurationVar(&f.every, "every", 5*time.Minute, "with --then: time between two steps")
	flags.BoolVar(&f.guard, "guard", false, "with --weight: return to the live deployment when errors or latency get worse")
}

// plan returns the plan that the flags describe, nil without one.
func (f *splitFlags) plan(cmd *cobra.Command) (*anchor.SplitPlan, error) {
	flags := cmd.Flags()
	if !flags.Changed("weight") {
		for _, name := range []string{"sticky", "then", "every", "guard"} {
			if flags.Changed(name) {
				return nil, usagef("--%s needs --weight, the percentage of the requests to begin with", name)
			}
		}
		return nil, nil
	}
	if flags.Changed("every") && len(f.then) == 0 {
		return nil, usagef("--every needs --then, the percentage of the next step")
	}
	if len(f.then) > 0 && f.every%time.Second != 0 {
		return nil, usagef("--every is %s; it must be whole seconds", f.every)
	}
	plan := anchor.SplitPlan{Weight: f.weight, Sticky: f.sticky, Guard: f.guard, Then: f.then}
	if len(f.then) > 0 {
		plan.EverySeconds = int64(f.every / time.Second)
	}
	return &plan, anchor.CheckSplitPlan(plan)
}

func (s *shell) runCancelSplit(ctx context.Context) error {
	c, project, err := s.inProject()
	if err != nil {
		return err
	}
	p, err := c.CancelSplit(ctx, project)
	if err != nil {
		return err
	}
	return s.printResult(p, func(w io.Writer) {
		s.printDone(w, fmt.Sprintf("All traffic reaches %s again", p.NewLabel), p.PromoteTimeMS)
		fmt.Fprintln(w, s.paintText(dim, "  ended: the share of "+p.PreviousLabel))
	})
}

// printSplits describes the projects whose traffic is divided.
func (s *shell) printSplits(w io.Writer, live []wire.Serving) {
	for _, p := range live {
		if p.Split == nil {
			continue
		}
		fmt.Fprintln(w)
		printWrapped(w, "", fmt.Sprintf("The traffic of %s is divided for %s: %s. %s", p.Slug,
			formatSpan(time.Since(time.UnixMilli(p.Split.StartedAt)).Milliseconds()), describeSplit(*p.Split), describeNext(*p.Split)))
		fmt.Fprintln(w)
		s.printTable(w, []string{"VERSION", "SHARE", "REQUESTS", "ERRORS", "P95", "DEPLOYMENT"}, splitRows(*p.Split))
		if p.Split.Traffic != nil {
			printWrapped(w, "", fmt.Sprintf("Answered by functions within %s; files and stored answers are not counted.", formatSpan(p.Split.Traffic.Seconds*1000)))
		}
		printWrapped(w, "", fmt.Sprintf("To end the split, run anchor promote --cancel --project %s.", p.Slug))
	}
}

func describeSplit(split wire.ProjectSplit) string {
	text := fmt.Sprintf("%s gets %d %%, %s the rest", split.Version, split.Weight, split.LiveVersion)
	if split.Sticky {
		text += ", by visitor"
	}
	if split.Guard {
		text += ", guarded"
	}
	return text
}

func describeNext(split wire.ProjectSplit) string {
	if len(split.Then) == 0 {
		return "It stays so until the next release."
	}
	steps := make([]string, len(split.Then))
	for i, weight := range split.Then {
		steps[i] = fmt.Sprintf("%d %%", weight)
	}
	if split.Waiting != "" {
		return fmt.Sprintf("Next: %s. %s", strings.Join(steps, ", "), split.Waiting)
	}
	return fmt.Sprintf("Next: %s, the first in %s.", strings.Join(steps, ", "), formatSpan(max(0, time.Until(time.UnixMilli(split.NextAt)).Milliseconds())))
}

func splitRows(split wire.ProjectSplit) [][]string {
	cells := func(share anchor.SplitShare) []string {
		if share.Requests == 0 {
			return []string{"0", "-", "-"}
		}
		errors := shareText(float64(share.Errors) / float64(share.Requests))
		return []string{countText(share.Requests), errors, formatDuration(time.Duration(share.P95MS) * time.Millisecond)}
	}
	live, candidate := []string{"-", "-", "-"}, []string{"-", "-", "-"}
	if t := split.Traffic; t != nil {
		live, candidate = cells(t.Live), cells(t.Candidate)
	}
	row := func(version string, weight int, cells []string, id anchor.DeploymentID) []string {
		return append(append([]string{version, fmt.Sprintf("%d %%", weight)}, cells...), string(id))
	}
	return [][]string{
		row(split.LiveVersion, 100-split.Weight, live, split.LiveDeployment),
		row(split.Version, split.Weight, candidate, split.Deployment),
	}
}

// splitText describes the split of a release, and the one that it ended.
func splitText(r anchor.Release) string {
	var texts []string
	if r.Split != nil {
		texts = append(texts, fmt.Sprintf("%s gets %d %%", r.Split.Version, r.Split.Weight))
	}
	if r.Ended != nil {
		texts = append(texts, describeEnd(r.Ended))
	}
	return strings.Join(texts, "; ")
}

// describeEnd says how a release ended a split.
func describeEnd(end *anchor.SplitEnd) string {
	switch end.Reason {
	case anchor.SplitCompleted:
		return fmt.Sprintf("%s was at %d %%", end.Version, end.Weight)
	case anchor.SplitCanceled:
		return fmt.Sprintf("%s canceled at %d %%", end.Version, end.Weight)
	case anchor.SplitRegressed:
		finding := ""
		if end.Evidence != nil {
			finding = " (" + string(end.Evidence.Finding) + ")"
		}
		return fmt.Sprintf("%s returned by the guard at %d %%%s", end.Version, end.Weight, finding)
	}
	return fmt.Sprintf("%s replaced at %d %%", end.Version, end.Weight)
}

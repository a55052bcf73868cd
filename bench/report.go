package main

import (
	"fmt"
	"strings"
	"time"
)

// result is one line of the table, with the explanation below it.
type result struct {
	what, ours, peer, ratio, budget string
	verdict                         verdict
	how                             []string // paragraphs
}

// verdict compares a figure with its budget.
type verdict string

const (
	met    verdict = "met"
	missed verdict = "**missed**"
)

// judge is met when the budget is kept.
func judge(kept bool) verdict {
	if kept {
		return met
	}
	return missed
}

func report(f facts, results []result, took time.Duration) string {
	var b strings.Builder
	b.WriteString("# How fast Anchor is\n\nWritten by `make bench`. Every figure was measured in this one run, beside the named peer on the same\nmachine; read the ratios, not the absolute numbers.\n\n")
	b.WriteString("| what | Anchor | peer | ratio | budget | |\n|---|---|---|---|---|---|\n")
	for _, r := range results {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", r.what, dash(r.ours), dash(r.peer), dash(r.ratio), r.budget, r.verdict)
	}
	b.WriteString("\n## The run\n\n")
	for _, row := range f.rows() {
		fmt.Fprintf(&b, "- %s: %s\n", row[0], row[1])
	}
	fmt.Fprintf(&b, "- load average after it, its own included: %s\n", loadAverages())
	fmt.Fprintf(&b, "- measured for: %s\n\n## How each was measured\n", took.Round(time.Second))
	for _, r := range results {
		fmt.Fprintf(&b, "\n### %s\n", r.what)
		for _, paragraph := range r.how {
			fmt.Fprintf(&b, "\n%s\n", paragraph)
		}
	}
	return b.String()
}

func dash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}

package apitest

import (
	"context"
	"iter"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

type logs struct{ *Anchor }

// Log lets an app write a line.
func (a *Anchor) Log(d anchor.DeploymentID, level, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.logs = append(a.logs, anchor.LogLine{Time: now(), DeploymentID: d, Function: anchor.ServerFunction, Level: level, Text: text})
	a.notify()
}

// written gives the lines from index from on; it needs mu.
func (a *Anchor) written(p anchor.ProjectID, id anchor.DeploymentID, from int) []anchor.LogLine {
	var out []anchor.LogLine
	for _, line := range a.logs[from:] {
		if _, err := a.get(p, line.DeploymentID); err == nil && (id == "" || id == line.DeploymentID) {
			out = append(out, line)
		}
	}
	return out
}

func (a logs) Last(_ context.Context, p anchor.ProjectID, d anchor.DeploymentID, limit int) iter.Seq2[anchor.LogLine, error] {
	a.mu.Lock()
	defer a.mu.Unlock()
	lines := a.written(p, d, 0)
	return func(yield func(anchor.LogLine, error) bool) {
		for _, line := range lines[max(0, len(lines)-limit):] {
			if !yield(line, nil) {
				return
			}
		}
	}
}

func (a logs) Follow(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) iter.Seq2[anchor.LogLine, error] {
	a.mu.Lock()
	from := len(a.logs)
	a.mu.Unlock()
	return func(yield func(anchor.LogLine, error) bool) {
		for {
			a.mu.Lock()
			lines, changed := a.written(p, d, from), a.changed
			from = len(a.logs)
			a.mu.Unlock()
			for _, line := range lines {
				if !yield(line, nil) {
					return
				}
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}
}

package apitest

import (
	"context"
	"iter"
	"sync"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

// logs keeps what tests let apps write.
type logs struct {
	records *memory.Store
	onLine  func(anchor.ProjectID, anchor.LogLine)

	mu      sync.Mutex
	lines   []logLine
	changed chan struct{} // closed and replaced by every new line
}

type logLine struct {
	anchor.LogLine
	project anchor.ProjectID
}

func newLogs(records *memory.Store, onLine func(anchor.ProjectID, anchor.LogLine)) *logs {
	if onLine == nil {
		onLine = func(anchor.ProjectID, anchor.LogLine) {}
	}
	return &logs{records: records, onLine: onLine, changed: make(chan struct{})}
}

// Log makes the app of a deployment write a line.
func (a *Anchor) Log(d anchor.DeploymentID, level, text string) error {
	of, err := a.Records.Deployment(context.Background(), d)
	if err != nil {
		return err
	}
	line := anchor.LogLine{Time: time.Now().UnixMilli(), DeploymentID: d, Function: anchor.ServerFunction, Level: level, Text: text}
	l := a.logs
	l.onLine(of.ProjectID, line)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, logLine{line, of.ProjectID})
	close(l.changed)
	l.changed = make(chan struct{})
	return nil
}

// since returns the lines that match from index from on, the index after them, and a channel that
// the next line closes.
func (l *logs) since(p anchor.ProjectID, f anchor.LogFilter, from int) (lines []anchor.LogLine, next int, changed <-chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines[from:] {
		if line.project == p && f.Matches(&line.LogLine) {
			lines = append(lines, line.LogLine)
		}
	}
	return lines, len(l.lines), l.changed
}

// Last implements api.Logs.
func (l *logs) Last(_ context.Context, p anchor.ProjectID, f anchor.LogFilter, limit int) iter.Seq2[anchor.LogLine, error] {
	lines, _, _ := l.since(p, f, 0)
	return func(yield func(anchor.LogLine, error) bool) {
		for _, line := range lines[max(0, len(lines)-limit):] {
			if !yield(line, nil) {
				return
			}
		}
	}
}

// Follow implements api.Logs.
func (l *logs) Follow(ctx context.Context, p anchor.ProjectID, f anchor.LogFilter) iter.Seq2[anchor.LogLine, error] {
	_, next, _ := l.since(p, f, 0)
	return func(yield func(anchor.LogLine, error) bool) {
		for {
			lines, after, changed := l.since(p, f, next)
			next = after
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

package api

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/anchor-deploy/anchor/internal/anchor"
)

// place is how far a follower of logs has read: all lines before time, and so many
// of that very millisecond. Its text is an event's id.
type place struct {
	time int64
	seen int
}

func (p *place) String() string { return fmt.Sprintf("%d.%d", p.time, p.seen) }

func parsePlace(id string) (place, error) {
	ms, count, _ := strings.Cut(id, ".")
	time, err := strconv.ParseInt(ms, 10, 64)
	if err == nil {
		var seen int
		if seen, err = strconv.Atoi(count); err == nil && time >= 0 && seen >= 0 {
			return place{time, seen}, nil
		}
	}
	return place{}, anchor.Invalid("bad_last_event_id", "Last-Event-ID is %q, which is not an event id", id).
		Hintf("Send the id of the last event received, or omit the header.")
}

// afterLine returns the place after a line.
func (p place) afterLine(line anchor.LogLine) place {
	if line.Time > p.time {
		return place{line.Time, 1}
	}
	return place{p.time, p.seen + 1}
}

// tailLogs answers with the last settled lines and what comes after them, or with what
// comes after Last-Event-ID.
func (s *server) tailLogs(ctx context.Context, logs Tail, p anchor.ProjectID, filter anchor.LogFilter, in *logsInput) (*huma.StreamResponse, error) {
	at := place{time: logs.Settled()}
	var first []anchor.LogLine
	if in.After != "" {
		var err error
		if at, err = parsePlace(in.After); err != nil {
			return nil, err
		}
	} else {
		// Before the time that a watch may take begins: a client that continues after these lines would never ask for
		// those that did not arrive.
		for line, err := range logs.Last(ctx, p, filter, in.Limit) {
			if err != nil {
				return nil, err
			}
			if line.Time < at.time { // the others come by Since
				first = append(first, line)
			}
		}
	}
	started := at.time
	label := func(line anchor.LogLine) (id, name string) {
		if line.Time >= started {
			at = at.afterLine(line)
		}
		return at.String(), "line"
	}
	return sseFrom(s, chainSeqs(seqOf(first), at.skipSeen(logs.Since(ctx, p, filter, at.time))), label, at.String), nil
}

// tailBuild answers with what a build printed and prints, or with what comes after the event of id after.
func (s *server) tailBuild(ctx context.Context, builds BuildTail, d anchor.Deployment, after string) (*huma.StreamResponse, error) {
	var at place
	if after != "" {
		var err error
		if at, err = parsePlace(after); err != nil {
			return nil, err
		}
	}
	label := func(line anchor.LogLine) (id, name string) {
		at = at.afterLine(line)
		return at.String(), "line"
	}
	return sseFrom(s, at.skipSeen(builds.LinesFrom(ctx, d.ProjectID, d.ID, at.time)), label, at.String), nil
}

// skipSeen leaves out the lines of the place's millisecond that were seen.
func (p place) skipSeen(lines iter.Seq2[anchor.LogLine, error]) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		seen := p.seen
		for line, err := range lines {
			if err == nil && line.Time == p.time && seen > 0 {
				seen--
				continue
			}
			if !yield(line, err) {
				return
			}
		}
	}
}

// seqOf yields the given lines.
func seqOf[T any](lines []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, line := range lines {
			if !yield(line, nil) {
				return
			}
		}
	}
}

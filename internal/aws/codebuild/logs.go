package codebuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// NotePrefix begins the lines of a build's log that Anchor itself writes (package runner).
const NotePrefix = "[anchor] "

// Lines yields what a build printed, oldest line first. With follow it yields the lines to come, too,
// until the build has ended.
func (b Builder) Lines(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, follow bool) iter.Seq2[anchor.LogLine, error] {
	if follow {
		return b.LinesFrom(ctx, p, id, 0)
	}
	return func(yield func(anchor.LogLine, error) bool) {
		lines, err := b.readLines(ctx, p, id, 0)
		if err == nil && len(lines) == 0 {
			err = b.explainEmpty(ctx, id)
		}
		for _, line := range lines {
			if !yield(line, nil) {
				return
			}
		}
		if err != nil {
			yield(anchor.LogLine{}, err)
		}
	}
}

// LinesFrom yields the lines of a build with a Time (Unix milliseconds) of from or later, in an order that
// does not change, and those to come until the build has ended. A build has one log stream, whose lines
// CloudWatch shows in the order in which they were written.
func (b Builder) LinesFrom(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, from int64) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		seen, ended := 0, time.Time{}
		for {
			// Read before the log: what a build printed until it ended is in the reads after that.
			done, err := b.hasEnded(ctx, id)
			var lines []anchor.LogLine
			if err == nil {
				lines, err = b.readLines(ctx, p, id, from)
			}
			if err != nil {
				if ctx.Err() == nil {
					yield(anchor.LogLine{}, err)
				}
				return
			}
			for _, line := range lines[min(seen, len(lines)):] {
				if line.Time > from {
					from, seen = line.Time, 0
				}
				seen++
				if !yield(line, nil) {
					return
				}
			}
			if done && ended.IsZero() {
				ended = time.Now()
			}
			if done && time.Since(ended) >= cmp.Or(b.Settle, 6*time.Second) {
				return
			}
			select {
			case <-time.After(cmp.Or(b.Pause, 2*time.Second)):
			case <-ctx.Done():
				return
			}
		}
	}
}

// hasEnded reports whether the build of a deployment prints nothing more.
func (b Builder) hasEnded(ctx context.Context, id anchor.DeploymentID) (bool, error) {
	d, err := b.Records.Deployment(ctx, id)
	if err != nil {
		return false, fmt.Errorf("read deployment %s: %w", id, err)
	}
	return d.Status != anchor.Queued && d.Status != anchor.Building, nil
}

// readLines returns all lines with a Time of from or later.
func (b Builder) readLines(ctx context.Context, p anchor.ProjectID, id anchor.DeploymentID, from int64) ([]anchor.LogLine, error) {
	var lines []anchor.LogLine
	proof := b.proof(p, id)
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(b.Logs, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: sdk.String(b.LogGroup()), LogStreamNamePrefix: sdk.String(string(id) + "/"), StartTime: sdk.Int64(from),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var none *types.ResourceNotFoundException
		switch {
		case errors.As(err, &none):
			return nil, nil // nothing was built yet
		case awserr.Denied(err):
			return nil, anchor.Failed("access_denied", "the role of the API may not read the log group %s", b.LogGroup()).
				Hintf("Grant it logs:FilterLogEvents on it: run anchor aws bootstrap again.").Because(err)
		case err != nil:
			return nil, fmt.Errorf("read the log group %s: %w", b.LogGroup(), err)
		}
		for _, e := range page.Events {
			if !strings.HasPrefix(sdk.ToString(e.LogStreamName), string(id)+"/") {
				continue
			}
			lines = append(lines, lineOf(id, sdk.ToInt64(e.Timestamp), strings.ReplaceAll(sdk.ToString(e.Message), proof, "***")))
		}
	}
	slices.SortStableFunc(lines, func(a, b anchor.LogLine) int { return cmp.Compare(a.Time, b.Time) })
	return lines, nil
}

// controls are the sequences by which programs color their output (ECMA-48, 5.4).
var controls = regexp.MustCompile("\x1b\\[[0-?]*[ -/]*[@-~]")

func lineOf(id anchor.DeploymentID, at int64, message string) anchor.LogLine {
	line := anchor.LogLine{Time: at, DeploymentID: id, Function: "build", Level: "info", Text: controls.ReplaceAllString(strings.TrimRight(message, "\r\n "), "")}
	if text, own := strings.CutPrefix(line.Text, NotePrefix); own {
		line.Level, line.Text = "note", text
		if strings.HasPrefix(text, "error: ") {
			line.Level = "error"
		}
	}
	return line
}

// explainEmpty returns why a build has no lines, nil when it may still get some.
func (b Builder) explainEmpty(ctx context.Context, id anchor.DeploymentID) error {
	ended, err := b.hasEnded(ctx, id)
	if err != nil || !ended {
		return err
	}
	return anchor.NotFound("no_build_log", "there is no log of build %s", id).
		Hintf("It never ran, or its log has expired: the setting LogRetentionDays says for how long logs are kept.")
}

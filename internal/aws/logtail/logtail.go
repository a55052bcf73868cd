// Package logtail reads what the sites' functions wrote to CloudWatch Logs.
package logtail

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"golang.org/x/sync/errgroup"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awserr"
)

// Records returns the functions of a project's deployments.
type Records interface {
	// Deployment returns one deployment or ErrNotFound.
	Deployment(ctx context.Context, id anchor.DeploymentID) (anchor.Deployment, error)
	// Deployments returns a page of the project's deployments, newest first.
	Deployments(ctx context.Context, p anchor.ProjectID, page anchor.Page) (anchor.List[anchor.Deployment], error)
}

// Config holds what a Reader works with.
type Config struct {
	Logs    *cloudwatchlogs.Client
	Records Records
	Pause   time.Duration    // between two reads while following; 0 means 2 s
	Settle  time.Duration    // how late CloudWatch may show a line; 0 means 4 s
	Now     func() time.Time // time.Now when nil
}

// Reader is an api.Tail. It is safe for concurrent use.
type Reader struct{ Config }

// New returns a Reader. It makes no call.
func New(c Config) *Reader {
	c.Pause, c.Settle = cmp.Or(c.Pause, 2*time.Second), cmp.Or(c.Settle, 4*time.Second)
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Reader{c}
}

// The windows in which Read searches backwards for enough lines. CloudWatch returns events only
// from the oldest on, and a busy site writes a lot in a minute.
const (
	firstWindow = time.Minute
	farthest    = 14 * 24 * time.Hour
)

// Last yields the lines that Read returns.
func (r *Reader) Last(ctx context.Context, p anchor.ProjectID, f anchor.LogFilter, limit int) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		lines, err := r.Read(ctx, p, f, limit)
		if err != nil {
			yield(anchor.LogLine{}, err)
			return
		}
		for _, line := range lines {
			if !yield(line, nil) {
				return
			}
		}
	}
}

// Read returns the last limit lines that match, oldest first, at most two weeks back.
func (r *Reader) Read(ctx context.Context, p anchor.ProjectID, f anchor.LogFilter, limit int) ([]anchor.LogLine, error) {
	sources, err := r.sources(ctx, p, f.Deployment)
	if err != nil || limit <= 0 || len(sources) == 0 {
		return nil, err
	}
	now := r.Now()
	oldest := now.Add(-farthest)
	if since := time.UnixMilli(f.Since); since.After(oldest) {
		oldest = since
	}
	if until := time.UnixMilli(f.Until); f.Until != 0 && until.Before(now) {
		now = until
	}
	var lines []anchor.LogLine
	for until, window := now, firstWindow; len(lines) < limit && until.After(oldest); window *= 8 {
		from := until.Add(-window)
		if from.Before(oldest) {
			from = oldest
		}
		found, err := r.between(ctx, sources, from.UnixMilli(), until.UnixMilli())
		if err != nil {
			return nil, err
		}
		lines = append(slices.DeleteFunc(found, func(l anchor.LogLine) bool { return !f.Matches(&l) }), lines...)
		until = from
	}
	return lines[max(0, len(lines)-limit):], nil
}

// Follow yields the lines written after the call that match, until ctx ends.
func (r *Reader) Follow(ctx context.Context, p anchor.ProjectID, f anchor.LogFilter) iter.Seq2[anchor.LogLine, error] {
	return r.Since(ctx, p, f, r.Now().UnixMilli())
}

// Settled returns the time (Unix milliseconds) before which the set of lines no longer changes.
func (r *Reader) Settled() int64 { return r.Now().Add(-r.Settle).UnixMilli() }

// Since yields the lines that match with a Time of from or later, in an order that does not change, and
// follows until ctx ends. It holds a line back until an earlier one is unlikely to appear.
func (r *Reader) Since(ctx context.Context, p anchor.ProjectID, f anchor.LogFilter, from int64) iter.Seq2[anchor.LogLine, error] {
	return func(yield func(anchor.LogLine, error) bool) {
		for {
			// A deployment that was created meanwhile has its own functions and versions.
			sources, err := r.sources(ctx, p, f.Deployment)
			until := r.Settled()
			var lines []anchor.LogLine
			if err == nil && until > from {
				lines, err = r.between(ctx, sources, from, until)
				from = until
			}
			for _, line := range lines {
				if f.Matches(&line) && !yield(line, nil) {
					return
				}
			}
			if err != nil {
				if ctx.Err() == nil {
					yield(anchor.LogLine{}, err)
				}
				return
			}
			// Not a retry: there is no last read of a log that is followed.
			select {
			case <-time.After(r.Pause):
			case <-ctx.Done():
				return
			}
		}
	}
}

// source is one function's log group.
type source struct {
	group    string
	function string                         // by the name the build gave it
	versions map[string]anchor.DeploymentID // by number
	only     bool                           // omit lines of other versions
}

// sources finds the functions of a project, or of one of its deployments.
func (r *Reader) sources(ctx context.Context, p anchor.ProjectID, d anchor.DeploymentID) ([]source, error) {
	var all []anchor.Deployment
	if d != "" {
		one, err := r.Records.Deployment(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("read deployment %s: %w", d, err)
		}
		all = []anchor.Deployment{one}
	} else {
		newest, err := r.Records.Deployments(ctx, p, anchor.Page{Limit: anchor.MaxPage})
		if err != nil {
			return nil, fmt.Errorf("list the deployments of project %s: %w", p, err)
		}
		all = newest.Items
	}
	byGroup := map[string]source{}
	for _, one := range all {
		for name, v := range one.Functions {
			group := groupOf(v.VersionARN)
			if group == "" {
				continue
			}
			s, ok := byGroup[group]
			if !ok {
				s = source{group: group, function: name, versions: map[string]anchor.DeploymentID{}, only: d != ""}
				byGroup[group] = s
			}
			s.versions[v.Version] = one.Serves()
		}
	}
	sources := make([]source, 0, len(byGroup))
	for _, s := range byGroup {
		sources = append(sources, s)
	}
	slices.SortFunc(sources, func(a, b source) int { return strings.Compare(a.group, b.group) })
	return sources, nil
}

// groupOf returns the log group of the function in a version's ARN,
// arn:aws:lambda:<region>:<account>:function:<name>:<version>, or "" for any other text.
func groupOf(arn string) string {
	parts := strings.Split(arn, ":")
	if len(parts) != 8 || parts[2] != "lambda" || parts[5] != "function" {
		return ""
	}
	return "/aws/lambda/" + parts[6]
}

// between returns all lines with from <= Time < until, sorted by time.
func (r *Reader) between(ctx context.Context, sources []source, from, until int64) ([]anchor.LogLine, error) {
	found := make([][]anchor.LogLine, len(sources))
	group, ctx := errgroup.WithContext(ctx)
	for i, s := range sources {
		group.Go(func() (err error) {
			found[i], err = r.ofSource(ctx, s, from, until)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	lines := slices.Concat(found...)
	slices.SortStableFunc(lines, func(a, b anchor.LogLine) int { return cmp.Compare(a.Time, b.Time) })
	return lines, nil
}

func (r *Reader) ofSource(ctx context.Context, s source, from, until int64) ([]anchor.LogLine, error) {
	var events []types.FilteredLogEvent
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(r.Logs, &cloudwatchlogs.FilterLogEventsInput{
		LogGroupName: sdk.String(s.group), StartTime: sdk.Int64(from), EndTime: sdk.Int64(until - 1),
	})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		var none *types.ResourceNotFoundException
		if errors.As(err, &none) {
			return nil, nil // the function was never called
		}
		if err != nil {
			return nil, explain(s.group, err)
		}
		events = append(events, page.Events...)
	}
	// Also by stream, so that two reads agree on the order of lines of the same millisecond.
	// Within a stream they are in the order in which they were written.
	slices.SortStableFunc(events, func(a, b types.FilteredLogEvent) int {
		return cmp.Or(cmp.Compare(sdk.ToInt64(a.Timestamp), sdk.ToInt64(b.Timestamp)),
			cmp.Compare(sdk.ToString(a.LogStreamName), sdk.ToString(b.LogStreamName)))
	})
	var lines []anchor.LogLine
	for _, e := range events {
		line, ok := parse(sdk.ToString(e.Message))
		id, known := s.versions[versionOf(sdk.ToString(e.LogStreamName))]
		if !ok || s.only && !known {
			continue
		}
		line.Time, line.DeploymentID, line.Function = sdk.ToInt64(e.Timestamp), id, s.function
		lines = append(lines, line)
	}
	return lines, nil
}

// versionOf reads the version from a stream's name, 2026/11/21/[12]4f3a….
func versionOf(stream string) string {
	_, rest, _ := strings.Cut(stream, "[")
	version, _, _ := strings.Cut(rest, "]")
	return version
}

func explain(group string, err error) error {
	if awserr.Denied(err) {
		return anchor.Failed("access_denied", "the role of the API may not read the log group %s", group).
			Hintf("Grant it logs:FilterLogEvents on it: run anchor aws bootstrap again.").Because(err)
	}
	return fmt.Errorf("read the log group %s: %w", group, err)
}

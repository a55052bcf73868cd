package logtail_test

import (
	"context"
	"fmt"
	"iter"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api"
	"github.com/anchor-deploy/anchor/internal/api/apitest"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/aws/logtail"
	"github.com/anchor-deploy/anchor/internal/records/memory"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// stand is a project with two deployments whose functions write to MiniStack's logs.
type stand struct {
	*logtail.Reader
	client         *cloudwatchlogs.Client
	cloud          *awstest.Cloud
	project        anchor.ProjectID
	first, second  anchor.DeploymentID
	server, images string // streams of the second deployment, but for server1
	server1        string
	clock          atomic.Int64 // the reader's, Unix milliseconds; pass advances it
}

func (s *stand) now() time.Time { return time.UnixMilli(s.clock.Load()) }

// pass advances the reader's clock by d, after checking that what was written can be read: on a
// busy machine, a write may take longer than the reader waits for it.
func (s *stand) pass(d time.Duration) { s.clock.Add(d.Milliseconds()) }

// settle is how late a line may appear.
const settle = 300 * time.Millisecond

const (
	serverGroup = "/aws/lambda/anchor-shop-server"
	imageGroup  = "/aws/lambda/anchor-shop-image"
)

func newStand(t *testing.T) *stand {
	t.Helper()
	cloud := awstest.MiniStack(t)
	s := &stand{
		cloud: cloud, client: cloudwatchlogs.NewFromConfig(cloud.Config()), project: anchor.ProjectID(anchor.NewID()),
		server1: "2026/11/21/[1]aa", server: "2026/11/21/[2]bb", images: "2026/11/21/[7]cc",
	}
	s.clock.Store(time.Now().UnixMilli())
	records := memory.New()
	must(t, records.CreateProject(t.Context(), anchor.Project{ID: s.project, Slug: "shop"}))
	for i, id := range []*anchor.DeploymentID{&s.first, &s.second} {
		*id = anchor.DeploymentID(anchor.NewID())
		must(t, records.CreateDeployment(t.Context(), anchor.Deployment{
			ID: *id, ProjectID: s.project, Status: anchor.Deploying,
			Functions: map[string]anchor.FunctionVersion{
				"default":        version("anchor-shop-server", i+1),
				"imageOptimizer": version("anchor-shop-image", i+6),
				"api":            version("anchor-shop-api", i+1), // was never called: it has no log group
			},
		}))
	}
	for group, streams := range map[string][]string{serverGroup: {s.server1, s.server}, imageGroup: {s.images}} {
		_, err := s.client.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: sdk.String(group)})
		must(t, err)
		for _, stream := range streams {
			_, err := s.client.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: sdk.String(group), LogStreamName: sdk.String(stream)})
			must(t, err)
		}
	}
	s.Reader = logtail.New(logtail.Config{Logs: s.client, Records: records, Pause: 5 * time.Millisecond, Settle: settle, Now: s.now})
	return s
}

func version(function string, n int) anchor.FunctionVersion {
	return anchor.FunctionVersion{Version: fmt.Sprint(n), VersionARN: fmt.Sprintf("arn:aws:lambda:eu-central-1:123456789012:function:%s:%d", function, n)}
}

func (s *stand) write(t *testing.T, group, stream string, at time.Time, messages ...string) {
	t.Helper()
	var events []types.InputLogEvent
	for _, m := range messages {
		events = append(events, types.InputLogEvent{Timestamp: sdk.Int64(at.UnixMilli()), Message: sdk.String(m)})
	}
	_, err := s.client.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{
		LogGroupName: sdk.String(group), LogStreamName: sdk.String(stream), LogEvents: events,
	})
	must(t, err)
}

func texts(lines []anchor.LogLine) string {
	var out []string
	for _, l := range lines {
		out = append(out, l.Text)
	}
	return strings.Join(out, " ")
}

func TestRead_ReturnsLastLinesOfAllFunctions(t *testing.T) {
	s := newStand(t)
	now := s.now()
	s.write(t, serverGroup, s.server1, now.Add(-3*time.Hour), "oldest")
	s.write(t, serverGroup, s.server1, now.Add(-30*time.Second), "START RequestId: x Version: 1", "old")
	s.write(t, serverGroup, s.server, now.Add(-20*time.Second), "new")
	s.write(t, imageGroup, s.images, now.Add(-10*time.Second), "image")
	for _, test := range []struct {
		d     anchor.DeploymentID
		limit int
		want  string
	}{
		{"", 10, "oldest old new image"},
		{"", 2, "new image"},
		{s.first, 10, "oldest old"},
		{s.second, 10, "new image"},
		{"", 0, ""},
	} {
		lines, err := s.Read(t.Context(), s.project, anchor.LogFilter{Deployment: test.d}, test.limit)
		must(t, err)
		if got := texts(lines); got != test.want {
			t.Errorf("the last %d lines of %q are %q, want %q", test.limit, test.d, got, test.want)
		}
	}
	lines, err := s.Read(t.Context(), s.project, anchor.LogFilter{}, 1)
	must(t, err)
	want := anchor.LogLine{Time: now.Add(-10 * time.Second).UnixMilli(), DeploymentID: s.second, Function: "imageOptimizer", Level: "info", Text: "image"}
	if len(lines) != 1 || !reflect.DeepEqual(lines[0], want) {
		t.Errorf("the line is %+v, want %+v", lines, want)
	}
}

func TestFollow_ReturnsNewLines(t *testing.T) {
	s := newStand(t)
	s.write(t, serverGroup, s.server, s.now().Add(-time.Minute), "before")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	following := s.Follow(ctx, s.project, anchor.LogFilter{})
	// Two functions, out of order: the line that is written later has the earlier time.
	at := s.now().Add(50 * time.Millisecond)
	s.write(t, serverGroup, s.server, at.Add(10*time.Millisecond), "second")
	s.write(t, imageGroup, s.images, at, "first")
	s.pass(2 * settle)
	var got []anchor.LogLine
	for line, err := range following {
		must(t, err)
		if got = append(got, line); len(got) == 2 {
			stop()
		}
	}
	if texts(got) != "first second" {
		t.Errorf("the lines are %q", texts(got))
	}
}

// TestFollow_ManyAnswers runs the client against the API as it is on AWS.
func TestFollow_ManyAnswers(t *testing.T) {
	s := newStand(t)
	a := apitest.New(t, apitest.Options{})
	services := a.Services()
	services.Logs = inProject{s}
	server := apitest.Serve(t, services, api.Options{WatchFor: 30 * time.Millisecond, Log: slog.New(slog.DiscardHandler)}, nil)
	c := client.New(server, apitest.AdminToken)
	c.Pause = time.Millisecond
	_, err := c.CreateProject(t.Context(), "shop", "main")
	must(t, err)
	s.write(t, serverGroup, s.server, s.now().Add(-time.Hour), "older", "before")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var got, want []string
	want = append(want, "before")
	for line, err := range c.FollowLogs(ctx, "shop", anchor.LogFilter{}, 1) {
		if ctx.Err() != nil {
			break
		}
		must(t, err)
		got = append(got, line.Text)
		if len(got) == 13 {
			stop()
			break
		}
		if (len(got)-1)%3 == 0 && len(want) < 13 { // three lines of one millisecond at a time
			batch := []string{fmt.Sprint(len(want)), fmt.Sprint(len(want) + 1), fmt.Sprint(len(want) + 2)}
			s.write(t, serverGroup, s.server, s.now(), batch...)
			s.pass(2 * settle)
			want = append(want, batch...)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("followed %q, want %q", got, want)
	}
}

// inProject reads the stand's project, whatever id the API passes.
type inProject struct{ s *stand }

func (p inProject) Last(ctx context.Context, _ anchor.ProjectID, f anchor.LogFilter, limit int) seq {
	return p.s.Last(ctx, p.s.project, f, limit)
}

func (p inProject) Follow(ctx context.Context, _ anchor.ProjectID, f anchor.LogFilter) seq {
	return p.s.Follow(ctx, p.s.project, f)
}

func (p inProject) Settled() int64 { return p.s.Settled() }

func (p inProject) Since(ctx context.Context, _ anchor.ProjectID, f anchor.LogFilter, from int64) seq {
	return p.s.Since(ctx, p.s.project, f, from)
}

type seq = iter.Seq2[anchor.LogLine, error]

func TestRead_NamesMissingPermission(t *testing.T) {
	s := newStand(t)
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudWatch Logs.FilterLogEvents", Status: 400, Code: "AccessDeniedException", Message: "no"})
	_, err := s.Read(t.Context(), s.project, anchor.LogFilter{}, 10)
	if anchor.CodeOf(err) != "access_denied" || !strings.Contains(anchor.HintOf(err), "logs:FilterLogEvents") {
		t.Errorf("Read = %v", err)
	}
	following := s.Follow(t.Context(), s.project, anchor.LogFilter{})
	s.pass(2 * settle)
	for _, err := range following {
		if anchor.CodeOf(err) != "access_denied" {
			t.Errorf("Follow = %v", err)
		}
	}
}

func TestRead_RetriesThrottling(t *testing.T) {
	s := newStand(t)
	s.write(t, serverGroup, s.server, s.now().Add(-time.Second), "line")
	s.cloud.Wire.Break(awstest.Fault{Operation: "CloudWatch Logs.FilterLogEvents", Nth: 1, Status: 400, Code: "ThrottlingException", Message: "slow"})
	lines, err := s.Read(t.Context(), s.project, anchor.LogFilter{}, 1)
	if err != nil || texts(lines) != "line" {
		t.Errorf("Read = %q, %v", texts(lines), err)
	}
}

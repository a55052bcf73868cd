package codebuild_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	builds "github.com/anchor-deploy/anchor/internal/aws/codebuild"
)

// printed writes lines to the stream of a build, as CodeBuild names it.
func printed(t *testing.T, b builds.Builder, id anchor.DeploymentID, at int64, texts ...string) {
	t.Helper()
	stream := sdk.String(string(id) + "/8745a7a9-c340-456a-9166-edf953571bea")
	_, err := b.Logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: sdk.String(b.LogGroup())})
	if exists := (*types.ResourceAlreadyExistsException)(nil); err != nil && !errors.As(err, &exists) {
		t.Fatal(err)
	}
	_, err = b.Logs.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: sdk.String(b.LogGroup()), LogStreamName: stream})
	if exists := (*types.ResourceAlreadyExistsException)(nil); err != nil && !errors.As(err, &exists) {
		t.Fatal(err)
	}
	var events []types.InputLogEvent
	for _, text := range texts {
		events = append(events, types.InputLogEvent{Timestamp: sdk.Int64(at), Message: sdk.String(text + "\n")})
	}
	_, err = b.Logs.PutLogEvents(t.Context(), &cloudwatchlogs.PutLogEventsInput{LogGroupName: sdk.String(b.LogGroup()), LogStreamName: stream, LogEvents: events})
	if err != nil {
		t.Fatal(err)
	}
}

func textOf(lines []anchor.LogLine) string {
	var texts []string
	for _, l := range lines {
		texts = append(texts, l.Level+":"+l.Text)
	}
	return strings.Join(texts, " | ")
}

func TestLines_OfOneBuild(t *testing.T) {
	b, _, calls := newBuilder(t)
	records := b.Records.(*records)
	records.end(anchor.Building)
	all := func(id anchor.DeploymentID) (lines []anchor.LogLine, failed error) {
		for line, err := range b.Lines(t.Context(), shop.ID, id, false) {
			if err != nil {
				return lines, err
			}
			lines = append(lines, line)
		}
		return lines, nil
	}
	if lines, err := all(deployment.ID); err != nil || len(lines) != 0 {
		t.Errorf("before its first line a build has %v, %v", lines, err)
	}
	if err := b.Build(t.Context(), shop, deployment, source, nil); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(calls.bodies[0], `"ANCHOR_BUILD_PROOF"`)
	_, rest, _ = strings.Cut(rest, `"value":"`)
	proof, _, _ := strings.Cut(rest, `"`)
	now := time.Now().UnixMilli()
	printed(t, b, deployment.ID, now, "[Container] \x1b[1mEntering\x1b[0m phase BUILD", "[anchor] Install", "env ANCHOR_BUILD_PROOF="+proof)
	printed(t, b, deployment.ID, now+1, "[anchor] error: npm ci failed")
	printed(t, b, "01another", now, "of another build")
	lines, err := all(deployment.ID)
	want := "info:[Container] Entering phase BUILD | note:Install | info:env ANCHOR_BUILD_PROOF=*** | error:error: npm ci failed"
	if err != nil || textOf(lines) != want || lines[0].DeploymentID != deployment.ID || lines[0].Time != now {
		t.Errorf("the lines are %s, %v; want %s", textOf(lines), err, want)
	}
	records.end(anchor.BuildFailed)
	if _, err := all("01without"); anchor.CodeOf(err) != "no_build_log" || !strings.Contains(anchor.HintOf(err), "LogRetentionDays") {
		t.Errorf("a build without a log: %v", err)
	}
}

// A follower that asks again continues after the last line that it has, also within one millisecond.
func TestLinesFrom_UntilTheBuildHasEnded(t *testing.T) {
	b, cloud, _ := newBuilder(t)
	records := b.Records.(*records)
	records.end(anchor.Building)
	now := time.Now().UnixMilli()
	printed(t, b, deployment.ID, now, "one", "two")
	var lines []anchor.LogLine
	for line, err := range b.LinesFrom(t.Context(), shop.ID, deployment.ID, 0) {
		if err != nil {
			t.Fatal(err)
		}
		switch lines = append(lines, line); line.Text {
		case "two":
			printed(t, b, deployment.ID, now, "three of the same millisecond")
		case "three of the same millisecond":
			printed(t, b, deployment.ID, now+5, "four")
		case "four":
			records.end(anchor.Deploying)
		}
	}
	if got := textOf(lines); got != "info:one | info:two | info:three of the same millisecond | info:four" {
		t.Errorf("followed, the lines are %s", got)
	}
	lines = nil
	for line, err := range b.LinesFrom(t.Context(), shop.ID, deployment.ID, now+5) {
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if got := textOf(lines); got != "info:four" {
		t.Errorf("from a time on, the lines are %s", got)
	}
	cloud.Wire.Break(awstest.Fault{Operation: "CloudWatch Logs.FilterLogEvents", Status: 400, Code: "AccessDeniedException", Message: "no"})
	for _, err := range b.LinesFrom(t.Context(), shop.ID, deployment.ID, 0) {
		if anchor.CodeOf(err) != "access_denied" || !strings.Contains(anchor.HintOf(err), "logs:FilterLogEvents") {
			t.Errorf("denied: %v", err)
		}
	}
}

func TestCancel_StopsTheBuild(t *testing.T) {
	b, cloud, calls := newBuilder(t)
	if err := b.Cancel(t.Context(), "01never"); err != nil {
		t.Errorf("a build that never started: %v", err)
	}
	if err := b.Build(t.Context(), shop, deployment, source, nil); err != nil {
		t.Fatal(err)
	}
	if repository, err := b.Repository(t.Context(), deployment.ID); err != nil || repository != source.Repository {
		t.Errorf("it is a build of %q, %v", repository, err)
	}
	if _, err := b.Repository(t.Context(), "01never"); anchor.CodeOf(err) != "no_retry" || anchor.HintOf(err) == "" {
		t.Errorf("the repository of an unknown build: %v", err)
	}
	calls.bodies = nil
	for range 2 {
		if err := b.Cancel(t.Context(), deployment.ID); err != nil {
			t.Fatal(err)
		}
	}
	if len(calls.bodies) != 2 || !strings.Contains(calls.bodies[0], `"id":"anchor-build:`) {
		t.Errorf("the calls are %v", calls.bodies)
	}
	if got := cloud.CLI(t, "codebuild", "list-builds-for-project", "--project-name", "anchor-build", "--query", "ids[0]", "--output", "text"); !strings.Contains(calls.bodies[0], strings.TrimSpace(got)) {
		t.Errorf("the build is %s, it stops %s", got, calls.bodies[0])
	}
	for code, want := range map[string]string{"AccessDeniedException": "access_denied", "InvalidInputException": "", "ResourceNotFoundException": ""} {
		cloud.Wire.Break(awstest.Fault{Operation: "CodeBuild.StopBuild", Status: 400, Code: code, Message: "no"})
		if err := b.Cancel(t.Context(), deployment.ID); anchor.CodeOf(err) != want || (err != nil) != (want != "") {
			t.Errorf("%s: %v", code, err)
		}
		cloud.Wire.Mend()
	}
}

package function_test

import (
	"errors"
	"strings"
	"testing"

	sdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestRemove(t *testing.T) {
	s, p := newStand(t), newProject()
	one := s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	two := s.publish(t, artifactOf(t, p, platformtest.NewApp("two")))
	s.route(t, p, one, 1)
	wantCode(t, s.Remove(t.Context(), p, one), "deployment_live")
	s.want(t, p, "d-"+string(one.ID), "/", "one")

	rollback := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID, IsRollback: true, RollbackTo: two.ID, Functions: two.Functions}
	must(t, s.Remove(t.Context(), p, rollback)) // its versions are those of its target
	s.want(t, p, "d-"+string(two.ID), "/", "two")

	s.route(t, p, two, 2)
	one.Functions = nil // as with a deployment that failed after publishing
	for range 2 {
		must(t, s.Remove(t.Context(), p, one))
	}
	if hosts, err := s.Hosts(t.Context(), p, "d-"+string(one.ID)); err != nil || len(hosts) > 0 {
		t.Errorf("the removed deployment has hosts: %v, %v", hosts, err)
	}
	function := "anchor-" + p.Slug + "-server"
	versions := s.cloud.CLI(t, "lambda", "list-versions-by-function", "--function-name", function, "--query", "Versions[].Version", "--output", "text")
	if got := strings.Fields(versions); len(got) != 2 || got[1] != "2" {
		t.Errorf("the versions are %v", got)
	}
	s.want(t, p, anchor.LiveAlias, "/", "two")
	s.want(t, p, "d-"+string(two.ID), "/", "two")
}

// A split function that later deployments lack keeps its live alias. The alias must not keep the
// deployment from being removed.
func TestRemove_DroppedFunction(t *testing.T) {
	s, p := newStand(t), newProject()
	split := s.publish(t, artifactOf(t, p, splitApp()))
	s.route(t, p, split, 1)
	plain := s.publish(t, artifactOf(t, p, platformtest.NewApp("plain")))
	s.route(t, p, plain, 2)
	for range 2 {
		must(t, s.Remove(t.Context(), p, split))
	}
	if hosts, err := s.Hosts(t.Context(), p, "d-"+string(split.ID)); err != nil || len(hosts) > 0 {
		t.Errorf("the removed deployment has hosts: %v, %v", hosts, err)
	}
	s.want(t, p, anchor.LiveAlias, "/", "plain")
	again := s.publish(t, artifactOf(t, p, splitApp()))
	s.route(t, p, again, 3)
	if got, want := s.aliasVersion(t, "anchor-"+p.Slug+"-api", "live"), again.Functions["api"].Version; got != want {
		t.Errorf("the function that came back has version %s live, want %s", got, want)
	}
}

func TestRemoveProject(t *testing.T) {
	s, p := newStand(t), newProject()
	near := newProject()
	near.Slug = p.Slug + "-server" // its functions' names have the prefix of p's
	app := platformtest.NewApp("one").With("revalidation-function/index.mjs", `export const handler = async () => ({});`)
	gone, kept := s.publish(t, artifactOf(t, p, app)), s.publish(t, artifactOf(t, near, app))
	s.route(t, p, gone, 1)
	s.route(t, near, kept, 1)
	for _, project := range []anchor.Project{p, near} { // as Lambda does at the first request
		for _, short := range []string{"server", "revalidate"} {
			group := "/aws/lambda/anchor-" + project.Slug + "-" + short
			_, err := s.Logs.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: &group})
			if taken := (*logtypes.ResourceAlreadyExistsException)(nil); !errors.As(err, &taken) {
				must(t, err)
			}
		}
	}

	for range 2 {
		must(t, s.RemoveProject(t.Context(), p))
	}
	if hosts, err := s.Hosts(t.Context(), p, anchor.LiveAlias); err != nil || len(hosts) > 0 {
		t.Errorf("the removed project has hosts: %v, %v", hosts, err)
	}
	for what, args := range map[string][]string{
		"functions": {"lambda", "list-functions", "--query", "Functions[].FunctionName"},
		"logs":      {"logs", "describe-log-groups", "--query", "logGroups[].logGroupName"},
		"mappings":  {"lambda", "list-event-source-mappings", "--query", "EventSourceMappings[].FunctionArn"},
	} {
		out := strings.Fields(s.cloud.CLI(t, append(args, "--output", "text")...))
		for _, name := range out {
			if !strings.Contains(name, near.Slug) {
				t.Errorf("of the removed project %s stays", name)
			}
		}
		if len(out) == 0 {
			t.Errorf("the %s of the other project are gone", what)
		}
	}
	for _, project := range []anchor.Project{p, near} { // not by the CLI, which uses another endpoint for SQS than the one that is set
		name := "anchor-" + project.Slug + "-revalidate.fifo"
		_, err := s.SQS.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: &name})
		if there := err == nil; there != (project.ID == near.ID) {
			t.Errorf("the queue %s: %v", name, err)
		}
	}
	objects, err := s.S3.ListObjectsV2(t.Context(), &s3.ListObjectsV2Input{Bucket: sdk.String(bucket)})
	must(t, err)
	for _, object := range objects.Contents {
		if !strings.HasPrefix(*object.Key, "functions/"+string(near.ID)+"/") {
			t.Errorf("the bucket keeps %s", *object.Key)
		}
	}
	s.want(t, near, anchor.LiveAlias, "/", "one")
}

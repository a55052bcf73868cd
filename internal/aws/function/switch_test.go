package function_test

import (
	"sync"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/aws/awstest"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestFunctions_Follow_GetsOver(t *testing.T) {
	s, p := newStand(t), newProject()
	one := s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	two := s.publish(t, artifactOf(t, p, platformtest.NewApp("two")))
	s.route(t, p, one, 1)
	revision := int64(1)
	for name, fault := range map[string]awstest.Fault{
		"a stale revision": {Operation: "Lambda.UpdateAlias", Nth: 1, Status: 412, Code: "PreconditionFailedException"},
		"a busy function":  {Operation: "Lambda.UpdateAlias", Nth: 1, Status: 409, Code: "ResourceConflictException"},
		"a throttled call": {Operation: "Lambda.UpdateAlias", Nth: 1, Status: 429, Code: "TooManyRequestsException"},
		"a lost answer":    {Operation: "Lambda.UpdateAlias", Nth: 1, After: true, Status: 503, Code: "ServiceException"},
		"a broken wire":    {Operation: "Lambda.UpdateAlias", Nth: 1, After: true},
		"half an answer":   {Operation: "Lambda.UpdateAlias", Nth: 1, After: true, Status: 200},
		"an old read":      {Operation: "Lambda.GetAlias", Nth: 1, Status: 404, Code: "ResourceNotFoundException"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, test := range []struct {
				to   anchor.Deployment
				page string
			}{{two, "two"}, {one, "one"}} {
				revision++
				s.cloud.Wire.Break(fault)
				must(t, s.Follow(t.Context(), p, test.to, liveOf(test.to, revision)))
				s.cloud.Wire.Mend()
				s.want(t, p, anchor.LiveAlias, "/", test.page)
			}
		})
	}
}

// Between Prepare and Commit another release moves the alias. Lambda refuses the RevisionId that
// Prepare read, and the later revision stays.
func TestSwitch_Commit_NeverGoesBack(t *testing.T) {
	s, p := newStand(t), newProject()
	one := s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	two := s.publish(t, artifactOf(t, p, platformtest.NewApp("two")))
	s.route(t, p, one, 1)
	ready := s.prepare(t, p, one)
	must(t, s.open().Follow(t.Context(), p, two, liveOf(two, 3)))
	must(t, ready.Commit(t.Context(), liveOf(one, 2)))
	s.want(t, p, anchor.LiveAlias, "/", "two")

	ready = s.prepare(t, p, one)
	must(t, s.open().Follow(t.Context(), p, two, liveOf(two, 4)))
	must(t, ready.Commit(t.Context(), liveOf(one, 5)))
	s.want(t, p, anchor.LiveAlias, "/", "one")
}

func TestSwitch_Commit_MovesTheServerLast(t *testing.T) {
	s, p := newStand(t), newProject()
	app := splitApp()
	one, two := s.publish(t, artifactOf(t, p, app)), s.publish(t, artifactOf(t, p, app))
	s.route(t, p, one, 1)
	ready := s.prepare(t, p, two)
	s.cloud.Wire.Break(awstest.Fault{Operation: "Lambda.UpdateAlias", Nth: 2, Status: 403, Code: "AccessDeniedException"})
	wantCode(t, ready.Commit(t.Context(), liveOf(two, 2)), "aws_denied")
	s.cloud.Wire.Mend()
	server, api := "anchor-"+p.Slug+"-server", "anchor-"+p.Slug+"-api"
	if s.aliasVersion(t, server, "live") != "1" || s.aliasVersion(t, api, "live") != "2" {
		t.Error("the server function's alias does not move last")
	}
	must(t, s.Follow(t.Context(), p, two, liveOf(two, 2)))
	if s.aliasVersion(t, server, "live") != "2" {
		t.Error("the half-done switch is not finished")
	}
}

func TestFunctions_Prepare_NotPublished(t *testing.T) {
	s, p := newStand(t), newProject()
	one := s.publish(t, artifactOf(t, p, platformtest.NewApp("one")))
	s.route(t, p, one, 1)
	gone := anchor.Deployment{ID: anchor.DeploymentID(anchor.NewID()), ProjectID: p.ID}
	wantCode(t, s.refused(t, p, gone), "not_published")
	wantCode(t, s.Follow(t.Context(), p, gone, liveOf(gone, 2)), "not_published")
	gone.Functions = one.Functions // versions of another deployment, without aliases of its own
	wantCode(t, s.refused(t, p, gone), "not_published")
	s.want(t, p, anchor.LiveAlias, "/", "one")
	rollback := anchor.Deployment{ID: gone.ID, ProjectID: p.ID, IsRollback: true, RollbackTo: one.ID, Functions: one.Functions}
	must(t, s.refused(t, p, rollback))
}

func TestPublish_RacingDeployments(t *testing.T) {
	s, p := newStand(t), newProject()
	pages := []string{"one", "two", "three"}
	deployments := make([]anchor.Deployment, len(pages))
	var all sync.WaitGroup
	for i, page := range pages {
		a := artifactOf(t, p, platformtest.NewApp(page))
		deployments[i] = a.Deployment
		all.Go(func() {
			versions, err := s.open().Publish(t.Context(), a, wanted(env(a)), t.Logf)
			if err != nil {
				t.Error(err)
			}
			deployments[i].Functions = versions
		})
	}
	all.Wait()
	for i, page := range pages {
		s.wantPublished(t, p, deployments[i], page)
	}
}

// splitApp returns an app with a function api in addition to the server function.
func splitApp() platformtest.App {
	app := platformtest.NewApp("one").With("open-next.output.json", splitOutput)
	for _, file := range []string{"index.mjs", ".next/required-server-files.json"} {
		app = app.With("server-functions/api/"+file, app["server-functions/default/"+file])
	}
	return app
}

const splitOutput = `{
	"edgeFunctions": {},
	"origins": {
		"s3": {"type": "s3", "originPath": "_assets", "copy": [{"from": ".open-next/assets", "to": "_assets", "cached": true, "versionedSubDir": "_next"}]},
		"default": {"type": "function", "handler": "index.handler", "bundle": ".open-next/server-functions/default",
			"streaming": true, "wrapper": "aws-lambda-streaming", "converter": "aws-apigw-v2", "queue": "sqs", "incrementalCache": "s3", "tagCache": "dynamodb"},
		"api": {"type": "function", "handler": "index.handler", "bundle": ".open-next/server-functions/api",
			"streaming": false, "wrapper": "aws-lambda", "converter": "aws-apigw-v2", "queue": "sqs", "incrementalCache": "s3", "tagCache": "dynamodb"}
	},
	"behaviors": [
		{"pattern": "*", "origin": "default"},
		{"pattern": "api/*", "origin": "api"},
		{"pattern": "_next/*", "origin": "s3"}
	],
	"additionalProps": {}
}`

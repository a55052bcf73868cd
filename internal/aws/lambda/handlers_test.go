package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/events"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/aws/lambda"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

func TestHandlers_Deployment(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	id := s.upload()
	var finished wire.Deployment
	s.call("api", "POST", "/projects/shop/deployments/"+string(id)+"/finish", "", nil, &finished)
	if finished.Status != anchor.Built || len(s.dispatched) != 1 || s.dispatched[0] != id {
		t.Fatalf("finished, it is %s and dispatched were %v", finished.Status, s.dispatched)
	}
	event := lambda.DeployEvent{DeploymentID: id, ProjectID: p.ID}
	for range 2 { // Lambda may deliver it twice
		_, err := s.event(t.Context(), "deploy", event)
		must(t, err)
	}
	s.wantStatus(id, anchor.Deployed)
	s.wantLogged(`"msg":"deployment deployed"`, `"deploymentId":"`+string(id)+`"`)

	stream := s.call("api", "GET", "/projects/shop/deployments/"+string(id)+"/events", "", nil, nil)
	if stream.Headers["Content-Type"] != "text/event-stream" || !strings.HasSuffix(stream.Body, "event: done\ndata: {}\n\n") {
		t.Errorf("the events are %d %v: %s", stream.StatusCode, stream.Headers, stream.Body)
	}

	second := s.upload()
	s.call("api", "POST", "/projects/shop/deployments/"+string(second)+"/finish", "", nil, &finished)
	_, err := s.event(t.Context(), "deploy", lambda.DeployEvent{DeploymentID: second, ProjectID: p.ID})
	must(t, err)
	var back wire.RolledBack
	s.call("rollback", "POST", "/projects/shop/rollback", fmt.Sprintf(`{"targetDeploymentId":%q}`, id), nil, &back)
	if back.RolledBackTo != id || s.cloud.Routed(p.ID) != id {
		t.Errorf("rolled back to %s, traffic goes to %s, want %s", back.RolledBackTo, s.cloud.Routed(p.ID), id)
	}
}

// A rollback leaves what follows its switch to the deploy handler.
func TestDeployer_SettlesSwitches(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	id := s.finished()
	_, err := s.event(t.Context(), "deploy", lambda.DeployEvent{DeploymentID: id, ProjectID: p.ID})
	must(t, err)
	s.call("rollback", "POST", "/projects/shop/deployments/"+string(id)+"/promote", "{}", nil, &wire.Promoted{})
	if len(s.cloud.switched) != 1 || s.cloud.switched[0] != id || len(s.cloud.settled) != 0 {
		t.Errorf("after a promote the switches are %v, settled are %v", s.cloud.switched, s.cloud.settled)
	}
	event := fmt.Sprintf(`{"projectId":%q,"switched":true}`, p.ID)
	_, err = s.event(t.Context(), "deploy", event)
	must(t, err)
	if !slices.Equal(s.cloud.settled, []anchor.ProjectID{p.ID}) || len(s.cloud.removed) != 0 {
		t.Errorf("settled are %v, removed %v", s.cloud.settled, s.cloud.removed)
	}
	s.cloud.sweepErr = errors.New("CloudFront answers 503")
	if _, err = s.event(t.Context(), "deploy", event); err == nil {
		t.Error("what fails is not tried again")
	}
}

func TestHandlers_ErrorsAreProblems(t *testing.T) {
	s := newStand(t)
	s.newProject()
	for body, want := range map[string]int{
		`{}`: 400, `{"targetDeploymentId":"nowhere"}`: 404, `{`: 400, `{"surprise":1}`: 400,
	} {
		got := s.call("rollback", "POST", "/projects/shop/rollback", body, nil, nil)
		var p wire.Problem
		must(t, json.Unmarshal([]byte(got.Body), &p))
		if got.StatusCode != want || p.Status != want || got.Headers["Content-Type"] != "application/problem+json" {
			t.Errorf("%s is answered %d: %s", body, got.StatusCode, got.Body)
		}
	}
	s.token = "anchor_wrong"
	if got := s.call("api", "GET", "/projects", "", nil, nil); got.StatusCode != 401 || got.Headers["WWW-Authenticate"] == "" {
		t.Errorf("without a token it answers %d %v", got.StatusCode, got.Headers)
	}
}

// TestDeployer_FailuresAreRecorded: an invocation succeeds even if its deployment fails.
func TestDeployer_FailuresAreRecorded(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	s.cloud.Fault = func(_ context.Context, op string, _ anchor.DeploymentID) (bool, error) {
		if op == "Publish" {
			return false, anchor.Failed("access_denied", "the role may not lambda:PublishVersion").Hintf("Grant it.")
		}
		return false, nil
	}
	id := s.finished()
	_, err := s.event(t.Context(), "deploy", lambda.DeployEvent{DeploymentID: id, ProjectID: p.ID})
	must(t, err)
	if d := s.wantStatus(id, anchor.DeployFailed); d.ErrorStep != "functions" || !strings.Contains(d.ErrorMessage, "lambda:PublishVersion") {
		t.Errorf("it failed in %q: %s", d.ErrorStep, d.ErrorMessage)
	}
	s.wantLogged(`"level":"ERROR"`, `"deploymentId":"`+string(id)+`"`, `"step":"functions"`, `"cause":"the role may not`)
}

func (s *stand) finished() anchor.DeploymentID {
	s.t.Helper()
	id := s.upload()
	var d wire.Deployment
	s.call("api", "POST", "/projects/shop/deployments/"+string(id)+"/finish", "", nil, &d)
	s.dispatched = nil
	return id
}

func TestDeployer_ContinuesInAnotherInvocation(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	id := s.finished()
	event := lambda.DeployEvent{DeploymentID: id, ProjectID: p.ID}
	short, cancel := context.WithTimeout(t.Context(), 25*time.Second) // less than a step needs
	defer cancel()
	_, err := s.event(short, "deploy", event)
	must(t, err)
	if len(s.dispatched) != 1 || s.dispatched[0] != id {
		t.Fatalf("dispatched %v", s.dispatched)
	}
	s.wantStatus(id, anchor.Deploying)
	_, err = s.event(t.Context(), "deploy", event)
	must(t, err)
	s.wantStatus(id, anchor.Deployed)
}

func TestUpkeep_ContinuesInterruptedDeployments(t *testing.T) {
	s := newStand(t)
	s.newProject()
	id := s.finished()
	_, err := s.event(t.Context(), "deploy", `{"reconcile": true}`)
	must(t, err)
	if len(s.dispatched) != 1 || s.dispatched[0] != id || s.cloud.reconciled != 1 {
		t.Errorf("dispatched %v, reconciled %d times", s.dispatched, s.cloud.reconciled)
	}
	_, err = s.event(t.Context(), "domains", `{"reconcile": true}`)
	must(t, err)
}

func TestDeployer_RefusesUnknownEvents(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	for name, e := range map[string]string{
		"empty":   `{}`,
		"text":    `"deploy"`,
		"half":    `{"deploymentId":"d"}`,
		"unknown": fmt.Sprintf(`{"deploymentId":%q,"projectId":%q}`, anchor.NewID(), p.ID),
		"other":   `{"source":"aws.ec2","detail-type":"EC2 Instance State-change Notification","detail":{}}`,
	} {
		if _, err := s.event(t.Context(), "deploy", e); err == nil {
			t.Errorf("%s is in use", name)
		}
	}
	s.wantLogged(`"level":"ERROR"`, `"cause":"the deploy handler does not know the event"`)
	if _, err := s.compose().Named("lunch"); anchor.HintOf(err) == "" {
		t.Errorf("a handler of no name: %v", err)
	}
}

// asked starts a build by the API.
func (s *stand) asked(key string) wire.Deployment {
	s.t.Helper()
	var d wire.Deployment
	s.call("api", "POST", "/projects/shop/builds", `{"repository":"https://git.example/shop","branch":"main"}`,
		map[string]string{"idempotency-key": key}, &d)
	return d
}

func TestBuilder_BuildIsDeployed(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	s.call("api", "PUT", "/projects/shop/env", `{"variables":[{"name":"NEXT_PUBLIC_A","value":"b","for":"build"},{"name":"SECRET","value":"s","for":"run"}]}`, nil, nil)
	d := s.asked("one")
	if again := s.asked("one"); again.ID != d.ID || len(s.builder.builds) != 1 {
		t.Fatalf("asked again under its key: %s and %s, %d builds", d.ID, again.ID, len(s.builder.builds))
	}
	if other := s.asked("two"); other.ID == d.ID || len(s.builder.builds) != 2 {
		t.Errorf("another key gave %s, %d builds", other.ID, len(s.builder.builds))
	}
	b := s.builder.builds[0]
	if d.Status != anchor.Building || b.source.Version != "main" || b.env["NEXT_PUBLIC_A"] != "b" || b.env["SECRET"] != "" {
		t.Errorf("it is %s, built from %+v with %v", d.Status, b.source, b.env)
	}
	s.artifacts.from = platformtest.NewApp("v1").Write(t)
	event := fmt.Sprintf(`{"deploymentId":%q,"projectId":%q,"artifactPath":"s3://bucket/artifacts/%s/c0ffee/%s/proof-of-%s/"}`, d.ID, p.ID, p.ID, d.ID, d.ID)
	for range 2 {
		_, err := s.event(t.Context(), "deploy", event)
		must(t, err)
	}
	if got := s.wantStatus(d.ID, anchor.Deployed); got.CommitSha != "c0ffee" {
		t.Errorf("its commit is %q", got.CommitSha)
	}
	if len(s.artifacts.imported) != 1 {
		t.Errorf("imported %v", s.artifacts.imported)
	}
	if len(s.artifacts.discarded) != 2 || s.artifacts.discarded[0] != d.ID {
		t.Errorf("from the disk went %v", s.artifacts.discarded)
	}
}

func TestBuilder_ArtifactRefused(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	d := s.asked("one")
	event := func(path string) error {
		_, err := s.event(t.Context(), "deploy", lambda.DeployEvent{DeploymentID: d.ID, ProjectID: p.ID, ArtifactPath: path})
		return err
	}
	proven := string(d.ID) + "/proof-of-" + string(d.ID) + "/"
	for _, unproven := range []string{"", string(d.ID) + "/", string(d.ID) + "/proof-of-another/", "proof-of-" + string(d.ID) + "/", proven + "x/"} {
		if err := event("artifacts/" + string(p.ID) + "/c0ffee/" + unproven); anchor.CodeOf(err) != "unproven_build" || len(s.artifacts.imported) != 0 {
			t.Errorf("%s: %v", unproven, err)
		}
	}
	for _, foreign := range []string{"artifacts/other/c0ffee/" + proven, "s3://b/artifacts/" + string(p.ID) + "/../" + proven, "/etc/" + proven, "s3://b/" + proven} {
		if err := event(foreign); anchor.CodeOf(err) != "bad_artifact_path" || len(s.artifacts.imported) != 0 {
			t.Errorf("%s: %v", foreign, err)
		}
	}
	mine := "s3://b/artifacts/" + string(p.ID) + "/c0ffee/" + proven
	s.artifacts.err = errors.New("S3 answers 503")
	if err := event(mine); err == nil {
		t.Error("an import that may go better next time is not tried again")
	}
	s.wantStatus(d.ID, anchor.Building)
	s.artifacts.err = anchor.Invalid("bad_archive", "open-next.tar.gz holds ../x").Hintf("Build it again.")
	must(t, event(mine))
	if got := s.wantStatus(d.ID, anchor.BuildFailed); got.ErrorStep != "import" || !strings.Contains(got.ErrorMessage, "../x") {
		t.Errorf("it failed in %q: %s", got.ErrorStep, got.ErrorMessage)
	}
}

// Retrying, canceling and following a build are those of builds on one machine.
func TestBuilder_CancelRetryAndLog(t *testing.T) {
	s := newStand(t)
	s.newProject()
	d := s.asked("one")
	at := "/projects/shop/builds/" + string(d.ID)
	if got := s.call("api", "POST", at+"/retry", "", nil, nil); got.StatusCode != 409 || !strings.Contains(got.Body, "anchor builds cancel "+string(d.ID)) {
		t.Errorf("a build that runs is retried with %d: %s", got.StatusCode, got.Body)
	}
	var canceled wire.Deployment
	s.call("api", "POST", at+"/cancel", "", nil, &canceled)
	if canceled.Status != anchor.Canceled || !slices.Equal(s.builder.canceled, []anchor.DeploymentID{d.ID}) {
		t.Errorf("canceled, it is %s, and stopped were %v", canceled.Status, s.builder.canceled)
	}
	var again wire.Deployment
	s.call("api", "POST", at+"/retry", "", nil, &again)
	if b := s.builder.builds; again.ID == d.ID || again.Branch != "main" || again.Status != anchor.Building || len(b) != 2 || b[1].source != b[0].source {
		t.Errorf("retried, it is %+v; the builds are %+v", again, b)
	}
	if env := s.builder.builds[1].env; env["ANCHOR_GIT_BRANCH"] != "main" || env["ANCHOR_ENV"] != "production" || env["ANCHOR_URL"] != "https://shop.cloudfront.example" {
		t.Errorf("the build gets %v", env)
	}
	s.builder.err = anchor.Failed("access_denied", "the role may not codebuild:StopBuild").Hintf("Bootstrap again.")
	got := s.call("api", "POST", "/projects/shop/builds/"+string(again.ID)+"/cancel", "", nil, nil)
	if got.StatusCode != 500 || !strings.Contains(got.Body, "build_not_stopped") || !strings.Contains(got.Body, "Bootstrap again.") {
		t.Errorf("a build that cannot be stopped is canceled with %d: %s", got.StatusCode, got.Body)
	}
	s.wantStatus(again.ID, anchor.Canceled)

	s.builder.lines = []anchor.LogLine{{Time: 3, Text: "one"}, {Time: 3, Text: "two"}, {Time: 4, Text: "three"}}
	var list wire.Items[anchor.LogLine]
	s.call("api", "GET", at+"/logs", "", nil, &list)
	if len(list.Items) != 3 {
		t.Errorf("the log is %+v", list.Items)
	}
	follow := get(at + "/logs")
	follow.RawQueryString = "follow=true"
	follow.Headers["authorization"] = "Bearer " + s.token
	for after, want := range map[string]string{"": "3.1:one 3.2:two 4.1:three", "3.1": "3.2:two 4.1:three", "4.1": ""} {
		if follow.Headers["last-event-id"] = after; after == "" {
			delete(follow.Headers, "last-event-id")
		}
		out, err := s.event(t.Context(), "api", follow)
		must(t, err)
		if got := lines(out.(events.APIGatewayV2HTTPResponse).Body); got != want {
			t.Errorf("after %q the lines are %q, want %q", after, got, want)
		}
	}
}

// A source that cannot be built leaves no record.
func TestBuilder_RefusedSourceChangesNothing(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	s.builder.refused = anchor.Invalid("bad_repository", "CodeBuild cannot clone from git.example").Hintf("Build elsewhere.")
	got := s.call("api", "POST", "/projects/shop/builds", `{"repository":"https://git.example/shop"}`, map[string]string{"idempotency-key": "k"}, nil)
	if got.StatusCode != 400 || !strings.Contains(got.Body, "bad_repository") || len(s.builder.builds) != 0 {
		t.Errorf("it is answered %d: %s", got.StatusCode, got.Body)
	}
	if all, err := s.store.Deployments(t.Context(), p.ID, anchor.Page{}); err != nil || len(all.Items) != 0 {
		t.Errorf("it left %+v, %v", all.Items, err)
	}
}

// An event without the proof of a build must not become the files of a deployment that waits for its own: for
// those of an upload that is not finished, or of a build whose start is not recorded yet.
func TestBuilder_WaitingDeploymentNeedsTheProof(t *testing.T) {
	s := newStand(t)
	p := s.newProject()
	uploading := s.upload()
	s.builder.err = errors.New("connection reset") // the build may run nevertheless
	s.call("api", "POST", "/projects/shop/builds", `{"repository":"https://git.example/shop"}`, map[string]string{"idempotency-key": "k"}, nil)
	starting := s.builder.builds[0].deployment
	s.artifacts.from = platformtest.NewApp("forged").Write(t)
	event := func(id anchor.DeploymentID, below string) error {
		_, err := s.event(t.Context(), "deploy", lambda.DeployEvent{DeploymentID: id, ProjectID: p.ID, ArtifactPath: "s3://b/artifacts/" + string(p.ID) + "/c0ffee/" + below})
		return err
	}
	for id, status := range map[anchor.DeploymentID]anchor.Status{uploading: anchor.Building, starting: anchor.Queued} {
		for _, below := range []string{"", string(id) + "/", string(id) + "/proof-of-another/"} {
			if err := event(id, below); anchor.CodeOf(err) != "unproven_build" || len(s.artifacts.imported) != 0 {
				t.Errorf("%q for a deployment that is %s: %v, imported %v", below, status, err, s.artifacts.imported)
			}
		}
		s.wantStatus(id, status)
	}
	must(t, event(starting, string(starting)+"/proof-of-"+string(starting)+"/"))
	s.wantStatus(starting, anchor.Deployed)
}

// buildFailed has the form of a state change in the CodeBuild User Guide.
const buildFailed = `{
  "version": "0", "id": "c030038d-8c4d-6141-9545-00ff7b7153EX", "detail-type": "CodeBuild Build State Change",
  "source": "aws.codebuild", "account": "123456789012", "time": "2017-09-01T16:14:28Z", "region": "us-west-2",
  "resources": ["arn:aws:codebuild:us-west-2:123456789012:build/anchor-build:8745a7a9-c340-456a-9166-edf953571bEX"],
  "detail": {
    "build-status": "%[1]s", "project-name": "anchor-build",
    "build-id": "arn:aws:codebuild:us-west-2:123456789012:build/anchor-build:8745a7a9-c340-456a-9166-edf953571bEX",
    "additional-information": {
      "artifact": {"location": ""}, "timeout-in-minutes": 60, "build-complete": true, "initiator": "anchor-api",
      "environment": {
        "image": "aws/codebuild/standard:5.0", "privileged-mode": false, "compute-type": "BUILD_GENERAL1_SMALL", "type": "LINUX_CONTAINER",
        "environment-variables": [{"name": "OTHER", "type": "PLAINTEXT", "value": "x"}, {"name": "ANCHOR_DEPLOYMENT_ID", "type": "PLAINTEXT", "value": "%[2]s"},
          {"name": "ANCHOR_PROJECT_ID", "type": "PLAINTEXT", "value": "p"}, {"name": "ANCHOR_BUILD_PROOF", "type": "PLAINTEXT", "value": "proof-of-%[2]s"}]
      },
      "logs": {"group-name": "/aws/codebuild/anchor-build", "stream-name": "8745a7a9", "deep-link": "https://console.aws.amazon.com/cloudwatch/home?#logEvent:x"},
      "phases": [
        {"phase-context": [], "start-time": "Sep 1, 2017 4:12:29 PM", "end-time": "Sep 1, 2017 4:12:29 PM", "duration-in-seconds": 0, "phase-type": "SUBMITTED", "phase-status": "SUCCEEDED"},
        {"phase-context": ["COMMAND_EXECUTION_ERROR: Error while executing command: npm ci. Reason: exit status 1"], "phase-type": "BUILD", "phase-status": "FAILED"},
        {"start-time": "Sep 1, 2017 4:14:21 PM", "phase-type": "COMPLETED"}
      ]
    },
    "current-phase": "COMPLETED", "current-phase-context": "[]", "version": "1"
  }
}`

func TestBuilder_BuildFailed(t *testing.T) {
	s := newStand(t)
	s.newProject()
	d := s.asked("one")
	_, err := s.event(t.Context(), "deploy", fmt.Sprintf(buildFailed, "SUCCEEDED", d.ID))
	must(t, err)
	s.wantStatus(d.ID, anchor.Building)
	_, err = s.event(t.Context(), "deploy", strings.Replace(fmt.Sprintf(buildFailed, "FAILED", d.ID), "proof-of-", "guess-of-", 1))
	must(t, err)
	s.wantStatus(d.ID, anchor.Building)
	for range 2 {
		_, err = s.event(t.Context(), "deploy", fmt.Sprintf(buildFailed, "FAILED", d.ID))
		must(t, err)
	}
	got := s.wantStatus(d.ID, anchor.BuildFailed)
	if got.ErrorStep != "build" || !strings.Contains(got.ErrorMessage, "npm ci") || !strings.Contains(got.ErrorMessage, "https://console.aws.amazon.com/") {
		t.Errorf("it failed in %q: %s", got.ErrorStep, got.ErrorMessage)
	}
	s.wantLogged(`"level":"ERROR"`, `"msg":"build failed"`, `"deploymentId":"`+string(d.ID)+`"`, `"step":"build"`)

	private := s.asked("two")
	event := strings.NewReplacer(`"phase-type": "BUILD"`, `"phase-type": "DOWNLOAD_SOURCE"`).Replace(fmt.Sprintf(buildFailed, "FAILED", private.ID))
	_, err = s.event(t.Context(), "deploy", event)
	must(t, err)
	if got := s.wantStatus(private.ID, anchor.BuildFailed); got.ErrorStep != "download_source" || !strings.Contains(got.ErrorMessage, "Give the builder access.") {
		t.Errorf("a repository that cannot be cloned: %q: %s", got.ErrorStep, got.ErrorMessage)
	}

	// A build without a deployment, or of a removed project, is not an error that Lambda should
	// retry.
	for _, id := range []string{"", "x", anchor.NewID()} {
		if _, err := s.event(t.Context(), "deploy", fmt.Sprintf(buildFailed, "STOPPED", id)); err != nil {
			t.Errorf("the build of %q: %v", id, err)
		}
	}
}

func TestBuilder_BuildDoesNotStart(t *testing.T) {
	s := newStand(t)
	s.newProject()
	s.builder.err = anchor.Failed("access_denied", "the handler may not codebuild:StartBuild").Hintf("Bootstrap again.")
	got := s.call("api", "POST", "/projects/shop/builds", `{"repository":"https://git.example/shop"}`, map[string]string{"idempotency-key": "k"}, nil)
	if got.StatusCode != 500 || !strings.Contains(got.Body, "access_denied") {
		t.Errorf("it is answered %d: %s", got.StatusCode, got.Body)
	}
	s.wantStatus(s.builder.builds[0].deployment, anchor.BuildFailed)

	// The answer was lost: the same key starts the same build.
	s.builder.err = errors.New("connection reset")
	s.call("api", "POST", "/projects/shop/builds", `{"repository":"https://git.example/shop"}`, map[string]string{"idempotency-key": "l"}, nil)
	s.builder.err = nil
	d := s.asked("l")
	if len(s.builder.builds) != 3 || s.builder.builds[1].deployment != d.ID || s.builder.builds[2].deployment != d.ID {
		t.Errorf("the builds are %+v, the deployment %s", s.builder.builds, d.ID)
	}

	for _, bad := range []string{"http://git.example/x", "https://user:pass@git.example/x", "git@git.example:x", ""} {
		got := s.call("api", "POST", "/projects/shop/builds", fmt.Sprintf(`{"repository":%q}`, bad), nil, nil)
		if got.StatusCode != 400 {
			t.Errorf("the repository %q is answered %d", bad, got.StatusCode)
		}
		if bad != "" && !strings.Contains(got.Body, "Give the builder access.") {
			t.Errorf("the answer does not say how a private repository is cloned: %s", got.Body)
		}
	}
	got = s.call("api", "POST", "/projects/shop/builds", `{"repository":"https://git.example/shop","branch":"--upload-pack=x"}`, nil, nil)
	if got.StatusCode != 400 {
		t.Errorf("an option for a branch is answered %d", got.StatusCode)
	}
}

func TestHandlers_StatusAndDoctor(t *testing.T) {
	s := newStand(t)
	s.newProject()
	var status wire.Status
	s.call("api", "GET", "/status", "", nil, &status)
	if status.Platform != "aws" || status.Version != "v-test" {
		t.Errorf("the status is %+v", status)
	}
	var checks wire.Items[wire.Check]
	s.call("api", "GET", "/doctor", "", nil, &checks)
	if len(checks.Items) != 4 || slices.ContainsFunc(checks.Items, func(c wire.Check) bool { return !c.OK }) {
		t.Errorf("the doctor says %+v", checks)
	}
}

func TestLogs_FollowedByPlace(t *testing.T) {
	s := newStand(t)
	s.newProject()
	follow := get("/projects/shop/logs")
	follow.RawQueryString = "follow=true&limit=1"
	follow.Headers["authorization"] = "Bearer " + s.token
	texts := func() string {
		out, err := s.event(t.Context(), "api", follow)
		must(t, err)
		return lines(out.(events.APIGatewayV2HTTPResponse).Body)
	}
	if got := texts(); got != "3.0:last 3.1:one 3.2:two" {
		t.Errorf("the lines are %q", got)
	}
	follow.Headers["last-event-id"] = "3.1"
	if got := texts(); got != "3.2:two" {
		t.Errorf("after the first of its millisecond they are %q", got)
	}
	follow.Headers["last-event-id"] = "x"
	if out, err := s.event(t.Context(), "api", follow); err != nil || out.(events.APIGatewayV2HTTPResponse).StatusCode != 400 {
		t.Errorf("a place that is none: %v, %v", out, err)
	}
}

// lines returns a stream's lines as "id:text".
func lines(stream string) string {
	var out []string
	id := ""
	for line := range strings.Lines(stream) {
		if rest, ok := strings.CutPrefix(line, "id: "); ok {
			id = strings.TrimSpace(rest)
		}
		var l anchor.LogLine
		if rest, ok := strings.CutPrefix(line, "data: "); ok && json.Unmarshal([]byte(rest), &l) == nil && l.Text != "" {
			out = append(out, id+":"+l.Text)
		}
	}
	return strings.Join(out, " ")
}

func TestLimits_SayWhatBoundsAProjectOnAWS(t *testing.T) {
	s := newStand(t)
	s.newProject()
	got := s.call("api", "PUT", "/projects/shop/limits", `{"memoryBytes":104857600}`, nil, nil)
	if got.StatusCode != 400 || !strings.Contains(got.Body, "limits_unsupported") || !strings.Contains(got.Body, "AWS Budgets") {
		t.Errorf("setting limits is answered %d: %s", got.StatusCode, got.Body)
	}
	got = s.call("api", "GET", "/projects/shop/limits", "", nil, nil)
	if got.StatusCode != 200 || !strings.Contains(got.Body, "AWS Budgets") {
		t.Errorf("the limits are answered %d: %s", got.StatusCode, got.Body)
	}
}

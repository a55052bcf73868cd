//go:build slow

package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// startsBuild starts a build of the commit by the API, twice with one key, like a client that
// lost the answer. It returns the build's deployment.
func (a *account) startsBuild(t *testing.T, project, commit string) (deployment, projectID string) {
	t.Helper()
	var first, second struct{ DeploymentID, ProjectID, Status string }
	for _, answer := range []*struct{ DeploymentID, ProjectID, Status string }{&first, &second} {
		out, code := a.keyed(t, "POST", "/projects/"+project+"/builds", "key-of-"+commit,
			map[string]string{"repository": "https://github.com/example/shop.git", "commitSha": commit, "branch": "main"})
		if err := json.Unmarshal(out, answer); code != 202 || err != nil {
			t.Fatalf("a build is started with %d: %s", code, out)
		}
	}
	if first.DeploymentID != second.DeploymentID || first.Status != "building" {
		t.Errorf("one request, sent twice, is %+v and %+v", first, second)
	}
	return first.DeploymentID, first.ProjectID
}

// builds runs post_build of the installation's own CodeBuild project on the archive of a tree as CodeBuild
// does: in bash, with the real AWS CLI.
func (a *account) builds(t *testing.T, app, project, commit string) string {
	t.Helper()
	deployment, projectID := a.startsBuild(t, project, commit)
	work := t.TempDir()
	// Other tests make links to the files of the build, which tar takes for a change while it reads.
	if err := os.CopyFS(filepath.Join(work, "app", ".open-next"), os.DirFS(filepath.Join(app, ".open-next"))); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "-C", filepath.Join(work, "app"), "-czf", filepath.Join(work, "open-next.tar.gz"), ".open-next").CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, out)
	}
	cmd := exec.Command("bash", "-c", a.postBuild(t))
	cmd.Dir = work
	cmd.Env = append(append(os.Environ(), a.cloud.Env()...), "AWS_ENDPOINT_URL_LAMBDA="+a.lambda.URL,
		"PATH="+filepath.Dir(awstest.Tool(t, "aws"))+":"+os.Getenv("PATH"),
		"CODEBUILD_BUILD_SUCCEEDING=1", "CODEBUILD_RESOLVED_SOURCE_VERSION="+commit, "DEPLOY_HANDLER_NAME=anchor-deploy",
		"ARTIFACTS_BUCKET="+a.made.ArtifactsBucket, "ANCHOR_DEPLOYMENT_ID="+deployment, "ANCHOR_PROJECT_ID="+projectID,
		"ANCHOR_BUILD_PROOF="+a.proof(t, projectID, deployment))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("post_build: %v\n%s", err, out)
	}
	a.running.Wait()
	return deployment
}

// proof returns the variable by which a build reports on its own deployment only. The emulator keeps
// no build's variables.
func (a *account) proof(t *testing.T, project, deployment string) string {
	t.Helper()
	var stored struct{ Parameter struct{ Value string } }
	a.aws(&stored, "ssm", "get-parameter", "--name", "/anchor/key", "--with-decryption")
	key, err := base64.StdEncoding.DecodeString(stored.Parameter.Value)
	if err != nil {
		t.Fatal(err)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("build\x00" + project + "\x00" + deployment))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func (a *account) postBuild(t *testing.T) string {
	t.Helper()
	var got struct {
		Projects []struct{ Source struct{ Buildspec string } }
	}
	a.aws(&got, "codebuild", "batch-get-projects", "--names", a.made.BuildProject)
	var spec struct {
		Phases map[string]struct{ Commands []string }
	}
	if len(got.Projects) != 1 {
		t.Fatalf("there is no CodeBuild project %s", a.made.BuildProject)
	}
	if err := yaml.Unmarshal([]byte(got.Projects[0].Source.Buildspec), &spec); err != nil {
		t.Fatal(err)
	}
	return strings.Join(spec.Phases["post_build"].Commands, "\n")
}

// deploysBuilds makes CodeBuild deliver what `anchor deploy --prebuilt` uploaded: the archive and
// the files both result in the same functions.
func (a *account) deploysBuilds(t *testing.T, app string, uploaded deployed) {
	built := a.builds(t, app, "shop", "c0ffee0000000000000000000000000000000000")
	var record struct{ Status, ErrorStep, ErrorMessage, CommitSha, Version string }
	if code, err := a.call("GET", "/projects/shop/deployments/"+built, nil, &record); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	if record.Status != "deployed" || record.CommitSha != "c0ffee0000000000000000000000000000000000" {
		t.Fatalf("the build's deployment is %+v", record)
	}
	digests := func(deployment string) map[string]string {
		all := map[string]string{}
		for name, v := range a.versions(t, "shop", deployment) {
			all[name] = v.CodeSha256
		}
		return all
	}
	if got, want := digests(built), digests(uploaded.DeploymentID); !reflect.DeepEqual(got, want) || len(got) < 2 {
		t.Errorf("the build's functions have the digests %v, the uploaded ones %v", got, want)
	}
	a.wantLive(t, "shop", built)
	if got := a.shop(t, uploaded).get("/dynamic").want(t, 200).find(t, versionMeta); got != Label {
		t.Errorf("live is %s", got)
	}
}

// endsFailedBuilds delivers EventBridge's events of a build that failed or was stopped.
func (a *account) endsFailedBuilds(t *testing.T) {
	live := a.live(t)
	for n, status := range []string{"FAILED", "STOPPED"} {
		id, project := a.startsBuild(t, "shop", fmt.Sprintf("%040d", n+1))
		a.deliver(a.handlers["anchor-deploy"], fmt.Appendf(nil, `{"source": "aws.codebuild", "detail-type": "CodeBuild Build State Change", "detail": {
			"build-status": %q, "project-name": "anchor-build", "build-id": "arn:aws:codebuild:eu-central-1:123456789012:build/anchor-build:1",
			"additional-information": {
				"environment": {"environment-variables": [{"name": "ANCHOR_DEPLOYMENT_ID", "type": "PLAINTEXT", "value": %q},
					{"name": "ANCHOR_PROJECT_ID", "type": "PLAINTEXT", "value": %q}, {"name": "ANCHOR_BUILD_PROOF", "type": "PLAINTEXT", "value": %q}]},
				"phases": [{"phase-type": "BUILD", "phase-status": %q, "phase-context": ["COMMAND_EXECUTION_ERROR: exit status 1"]}]
			}}}`, status, id, project, a.proof(t, project, id), status))
		a.running.Wait()
		var record struct{ Status, ErrorStep, ErrorMessage string }
		if code, err := a.call("GET", "/projects/shop/deployments/"+id, nil, &record); code != 200 || err != nil {
			t.Fatal(code, err)
		}
		if record.Status != "build_failed" || record.ErrorStep != "build" || !strings.Contains(record.ErrorMessage, "exit status 1") {
			t.Errorf("a build that %s leaves %+v", status, record)
		}
	}
	if now := a.live(t); now != live {
		t.Errorf("live was %s and is %s", live, now)
	}
}

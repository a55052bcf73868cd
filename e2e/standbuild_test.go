//go:build slow

package e2e

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/anchor-deploy/anchor/internal/aws/awstest"
)

// buildsCommit has CodeBuild build an app of Next.js: the emulator records the build, and the phases of the
// stack's own buildspec run here, in bash, with the real AWS CLI, the handlers' zip of the bucket and the real
// next build. Then it follows, cancels and retries builds by command.
func (a *standApp) buildsCommit(t *testing.T) {
	start := func(key string) standRecord {
		t.Helper()
		var d standRecord
		if code := a.call(t, http.MethodPost, "/projects/shop/builds", map[string]any{
			"repository": "https://github.com/example/shop.git", "commitSha": strings.Repeat(key, 40), "branch": "feature/build", "noRelease": true,
		}, &d); code != http.StatusAccepted || d.Status != "building" {
			t.Fatalf("a build is started with %d: %+v", code, d)
		}
		return d
	}
	live := a.livePointer(t)
	var refused struct{ Code, Hint string }
	if code := a.call(t, http.MethodPost, "/projects/shop/builds", map[string]string{"repository": "https://git.example.com/shop"}, &refused); code != 400 || refused.Code != "bad_repository" {
		t.Errorf("a repository that CodeBuild cannot clone is answered %d: %+v", code, refused)
	}
	d := start("a")
	source := copyOfApp(t, "../examples/pages")
	output := a.runBuildspec(t, source, d.DeploymentID)
	record := a.ended(t, d.DeploymentID)
	if record.Status != "deployed" {
		t.Fatalf("the build's deployment is %+v; the build printed\n%s", record, output)
	}
	for _, want := range []string{"[anchor] $ npx --no-install open-next build", "[anchor] done in", `"StatusCode": 202`} {
		if !strings.Contains(output, want) {
			t.Errorf("the build does not print %q:\n%s", want, output)
		}
	}
	a.prints(t, d.DeploymentID, output)
	out, errs, code := a.run(t, "builds", "logs", d.DeploymentID, "--project", "shop")
	if code != 0 || !strings.Contains(out, "$ npx --no-install open-next build") || strings.Contains(out, "[anchor]") {
		t.Errorf("anchor builds logs ends with %d: %s%s", code, out, errs)
	}
	if out, errs, code := a.run(t, "builds", "logs", "-f", d.DeploymentID, "--project", "shop"); code != 0 || !strings.Contains(out, "next build") {
		t.Errorf("followed, it ends with %d: %s%s", code, out, errs)
	}
	running := start("b")
	var canceled, again standRecord
	a.must(t, &canceled, "builds", "cancel", running.DeploymentID, "--project", "shop")
	if stopped := a.proxy.logged(`^codebuild StopBuild`); canceled.Status != "canceled" || len(stopped) != 1 {
		t.Errorf("canceled, it is %+v, and CodeBuild was asked %v", canceled, stopped)
	}
	a.must(t, &again, "builds", "retry", running.DeploymentID, "--project", "shop")
	if again.Status != "building" || again.DeploymentID == running.DeploymentID {
		t.Errorf("retried, it is %+v", again)
	}
	a.must(t, &canceled, "builds", "cancel", again.DeploymentID, "--project", "shop")
	if now := a.livePointer(t); now != live {
		t.Errorf("live was %s and is %s", live, now)
	}
}

func (a *standApp) livePointer(t *testing.T) string {
	t.Helper()
	var live struct{ DeploymentID string }
	if code := a.call(t, http.MethodGet, "/projects/shop/live", nil, &live); code != 200 {
		t.Errorf("the pointer is answered %d", code)
	}
	return live.DeploymentID
}

// copyOfApp returns a copy of an example without its builds. Its node_modules are links to the same files.
func copyOfApp(t *testing.T, example string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "source")
	for _, command := range [][]string{{"cp", "-al", example, dir}, {"rm", "-rf", dir + "/.next", dir + "/.open-next", dir + "/.anchor"}} {
		if out, err := exec.CommandContext(t.Context(), command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", command, err, out)
		}
	}
	return dir
}

// runBuildspec runs the phases of the stack's build project in a checkout as CodeBuild does, and returns
// what they print.
func (a *standApp) runBuildspec(t *testing.T, source, deployment string) string {
	t.Helper()
	var projects []struct {
		Source      struct{ Buildspec string }
		Environment struct {
			EnvironmentVariables []struct{ Name, Value string }
		}
	}
	text := a.cloud.CLI(t, "codebuild", "batch-get-projects", "--names", "anchor-build", "--query", "projects", "--output", "json")
	if err := json.Unmarshal([]byte(text), &projects); err != nil || len(projects) != 1 {
		t.Fatalf("the build project is %s, %v", text, err)
	}
	var spec struct {
		Env    struct{ Variables map[string]string }
		Phases map[string]struct{ Commands []string }
	}
	if err := yaml.Unmarshal([]byte(projects[0].Source.Buildspec), &spec); err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	env := append(slices.DeleteFunc(os.Environ(), func(e string) bool { return strings.HasPrefix(e, "ANCHOR_") }), a.cloud.Env()...)
	for name, value := range spec.Env.Variables {
		env = append(env, name+"="+value)
	}
	for _, v := range projects[0].Environment.EnvironmentVariables {
		env = append(env, v.Name+"="+v.Value)
	}
	env = append(env, a.buildVariables(t, deployment)...)
	env = append(env, "ANCHOR_CACHE="+filepath.Join(work, "cache"), "ANCHOR_PROGRAM="+filepath.Join(work, "anchor"),
		"CODEBUILD_RESOLVED_SOURCE_VERSION="+strings.Repeat("a", 40), "AWS_ENDPOINT_URL="+a.proxy.URL, "NO_PROXY=127.0.0.1,localhost",
		"PATH="+filepath.Dir(awstest.Tool(t, "aws"))+":"+os.Getenv("PATH"))
	var output strings.Builder
	succeeding := "1"
	for _, phase := range []string{"install", "build", "post_build"} {
		cmd := exec.CommandContext(t.Context(), "bash", "-c", "set -e\n"+strings.Join(spec.Phases[phase].Commands, "\n"))
		cmd.Dir, cmd.Env = source, append(slices.Clone(env), "CODEBUILD_BUILD_SUCCEEDING="+succeeding)
		out, err := cmd.CombinedOutput()
		output.Write(out)
		if err != nil {
			t.Fatalf("phase %s: %v\n%s", phase, err, output.String())
		}
	}
	return output.String()
}

// buildVariables returns the variables with which the API starts the build of a deployment. The emulator keeps
// none of them, so they are made again, with the installation's key.
func (a *standApp) buildVariables(t *testing.T, deployment string) []string {
	t.Helper()
	parameter := func(name string) string {
		return strings.TrimSpace(a.cloud.CLI(t, "ssm", "get-parameter", "--name", name, "--with-decryption", "--query", "Parameter.Value", "--output", "text"))
	}
	key, err := base64.StdEncoding.DecodeString(parameter("/anchor/key"))
	if err != nil {
		t.Fatal(err)
	}
	var project struct{ ProjectID string }
	if code := a.call(t, http.MethodGet, "/projects/shop", nil, &project); code != 200 {
		t.Fatalf("the project is answered %d", code)
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("build\x00" + project.ProjectID + "\x00" + deployment))
	return []string{
		"ANCHOR_DEPLOYMENT_ID=" + deployment, "ANCHOR_PROJECT_ID=" + project.ProjectID, "ANCHOR_PROJECT_SLUG=shop",
		"ANCHOR_BUILD_PROOF=" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)), "ANCHOR_BUILD_ENV=" + parameter("/anchor/builds/"+deployment),
	}
}

// prints writes the output of a build to its log stream, as CodeBuild does.
func (a *standApp) prints(t *testing.T, deployment, output string) {
	t.Helper()
	const group = "/aws/codebuild/anchor-build"
	stream := deployment + "/8745a7a9-c340-456a-9166-edf953571bea"
	a.cloud.CLI(t, "logs", "create-log-stream", "--log-group-name", group, "--log-stream-name", stream)
	type event struct {
		Timestamp int64  `json:"timestamp"`
		Message   string `json:"message"`
	}
	var events []event
	for line := range strings.Lines(output) {
		if text := strings.TrimRight(line, "\r\n"); text != "" {
			events = append(events, event{time.Now().UnixMilli(), text})
		}
	}
	raw, err := json.Marshal(events)
	if err != nil {
		t.Fatal(err)
	}
	a.cloud.CLI(t, "logs", "put-log-events", "--log-group-name", group, "--log-stream-name", stream, "--log-events", string(raw))
}

// ended waits until a deployment has ended.
func (a *standApp) ended(t *testing.T, id string) (record standRecord) {
	t.Helper()
	eventually(t, fmt.Sprintf("deployment %s has ended", id), func() bool {
		if code := a.call(t, http.MethodGet, "/projects/shop/deployments/"+id, nil, &record); code != 200 {
			t.Fatalf("the deployment is answered %d", code)
		}
		return !slices.Contains([]string{"queued", "building", "built", "deploying"}, record.Status)
	})
	return record
}

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// job is a folder in which a CI runs a script of ours with the real anchor, and programs that stand in for the network.
type job struct {
	*anchor
	dir string
	env []string
}

// job returns a job whose checkout has an app in apps/web, which the command "sh ../../build.sh" builds.
func (a *anchor) job() *job {
	a.t.Helper()
	j := &job{a, a.t.TempDir(), nil}
	bin := a.t.TempDir()
	err := os.CopyFS(filepath.Join(j.dir, "tree"), os.DirFS(platformtest.NewApp("ci").Write(a.t)))
	for name, content := range map[string]string{
		filepath.Join(j.dir, "build.sh"):              "cp -r ../../tree .open-next\n",
		filepath.Join(j.dir, "apps/web/package.json"): `{"dependencies":{"next":"15.5.29"}}`,
		filepath.Join(bin, "anchor"):                  fmt.Sprintf("#!/bin/sh\nexec %q \"$@\"\n", os.Args[0]),
		filepath.Join(bin, "curl"):                    "#!/bin/sh\n", // the install script
		filepath.Join(bin, "gh"):                      "#!/bin/sh\nprintf '%s\\n' \"$@\" >>" + filepath.Join(j.dir, "gh.log") + "\n",
	} {
		if err == nil {
			err = os.MkdirAll(filepath.Dir(name), 0o755)
		}
		if err == nil {
			err = os.WriteFile(name, []byte(content), 0o755)
		}
	}
	if err != nil {
		a.t.Fatal(err)
	}
	j.env = append(os.Environ(), "ANCHOR_E2E_MAIN="+mainID(), "PATH="+bin+":"+os.Getenv("PATH"), "HOME="+a.t.TempDir(), "NO_COLOR=1",
		"ANCHOR_URL="+a.api, "ANCHOR_TOKEN="+a.token)
	return j
}

// script runs a script in the job's folder and returns what it printed.
func (j *job) script(shell, text string, env ...string) (string, error) {
	j.t.Helper()
	ctx, cancel := context.WithTimeout(j.t.Context(), 2*time.Minute)
	defer cancel()
	if out, err := exec.CommandContext(ctx, shell, "-n", "-c", text).CombinedOutput(); err != nil {
		j.t.Errorf("%s cannot read the script: %v\n%s", shell, err, out)
	}
	cmd := exec.CommandContext(ctx, shell, "-e", "-c", text)
	cmd.Dir, cmd.Env = j.dir, slices.Concat(j.env, env)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (j *job) read(name string) string {
	j.t.Helper()
	content, err := os.ReadFile(filepath.Join(j.dir, name))
	if err != nil {
		j.t.Fatal(err)
	}
	return string(content)
}

// hasLiveAndPreview fails unless the production branch is live and the other one a preview, both of the commit.
func (j *job) hasLiveAndPreview() {
	j.t.Helper()
	var list struct {
		Items []struct {
			Branch, CommitSha string
			NoRelease, Live   bool
		}
	}
	if code, err := j.call("GET", "/projects/shop/deployments", nil, &list); err != nil || code != 200 || len(list.Items) != 2 {
		j.t.Fatalf("the deployments are %+v: %d, %v", list.Items, code, err)
	}
	for _, d := range list.Items {
		if preview := d.Branch == "feature/x"; d.NoRelease != preview || d.Live == preview || d.CommitSha != "1f0c7be6f2bd" {
			j.t.Errorf("a deployment is %+v", d)
		}
	}
}

func readYAML(t *testing.T, name string, into any) {
	t.Helper()
	content, err := os.ReadFile(name)
	if err == nil {
		err = yaml.Unmarshal(content, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestCI_GitHubAction runs the steps of the action for the production branch and for a pull request.
func TestCI_GitHubAction(t *testing.T) {
	t.Parallel()
	var action struct {
		Runs struct {
			Steps []struct{ Name, Run string }
		}
	}
	readYAML(t, "../deploy/github-action/action.yml", &action)
	script, err := filepath.Abs("../deploy/github-action/deploy.sh")
	if err != nil {
		t.Fatal(err)
	}
	j := up(t).job()
	j.runIn(nil, "projects", "create", "shop")
	env := []string{
		"GITHUB_PATH=" + filepath.Join(j.dir, "path"), "GITHUB_OUTPUT=" + filepath.Join(j.dir, "output"), "GITHUB_REPOSITORY=acme/shop", "SCRIPT=" + script,
		"PROJECT=shop", "DIRECTORY=apps/web", "INSTALL=true", "BUILD=sh ../../build.sh", "PRODUCTION_BRANCH=main", "COMMIT=1f0c7be6f2bd", "NUMBER=7", "URL=https://d--shop.example.com",
	}
	for _, branch := range []string{"main", "feature/x"} {
		for _, step := range action.Runs.Steps {
			if out, err := j.script("sh", step.Run, append(env, "BRANCH="+branch)...); err != nil {
				t.Fatalf("the step %q of %s: %v\n%s", step.Name, branch, err, out)
			}
		}
		if err := os.RemoveAll(filepath.Join(j.dir, "apps/web/.open-next")); err != nil {
			t.Fatal(err)
		}
	}
	j.hasLiveAndPreview()
	if got := j.read("output"); strings.Count(got, "url=http://") != 2 || strings.Count(got, "\nid=") != 2 {
		t.Errorf("the outputs are %q", got)
	}
	if got := j.read("gh.log"); !strings.Contains(got, "POST\nrepos/acme/shop/issues/7/comments") || !strings.Contains(got, "is deployed: https://d--shop.example.com") {
		t.Errorf("gh is called with %s", got)
	}
	if out, err := j.script("sh", `"$SCRIPT"`, append(env, "ANCHOR_TOKEN=")...); err == nil || !strings.Contains(out, "anchor tokens create ci --scope deploy") {
		t.Errorf("without a token it prints %q, %v", out, err)
	}
}

// TestCI_GitLabTemplate runs the job of the template for the default branch and for a merge request.
func TestCI_GitLabTemplate(t *testing.T) {
	t.Parallel()
	var template struct {
		Job struct{ Script []string } `yaml:"anchor-deploy"`
	}
	readYAML(t, "../deploy/gitlab-ci.yml", &template)
	j := up(t).job()
	j.runIn(nil, "projects", "create", "shop")
	env := []string{
		"ANCHOR_PROJECT=shop", "ANCHOR_DIRECTORY=apps/web", "ANCHOR_INSTALL=true", "ANCHOR_BUILD=sh ../../build.sh", "CI_DEFAULT_BRANCH=main", "CI_COMMIT_SHA=1f0c7be6f2bd",
	}
	for _, branch := range []string{"CI_COMMIT_BRANCH=main", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=feature/x"} {
		if out, err := j.script("bash", strings.Join(template.Job.Script, "\n"), append(env, branch)...); err != nil {
			t.Fatalf("the job of %s: %v\n%s", branch, err, out)
		}
		if got := j.read("deploy.env"); !strings.HasPrefix(got, "ANCHOR_DEPLOYMENT_URL=http://") {
			t.Errorf("the report of %s is %q", branch, got)
		}
		if err := os.RemoveAll(filepath.Join(j.dir, "apps/web/.open-next")); err != nil {
			t.Fatal(err)
		}
	}
	j.hasLiveAndPreview()
	if out, err := j.script("bash", strings.Join(template.Job.Script, "\n"), append(env, "CI_COMMIT_BRANCH=main", "ANCHOR_TOKEN=anchor_wrong")...); err == nil || !strings.Contains(out, "recognize this token") {
		t.Errorf("with a wrong token it prints %q, %v", out, err)
	}
}

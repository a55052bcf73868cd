package server_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// showsVariables is an app that answers with its variables and those by Vercel's names.
const showsVariables = `export const handler = awslambda.streamifyResponse(async (event, stream) => {
  stream.setContentType("application/vnd.awslambda.http-integration-response");
  stream.write(JSON.stringify({ statusCode: 200, headers: { "content-type": "application/json" } }));
  stream.write(Buffer.alloc(8));
  stream.end(JSON.stringify(Object.fromEntries(Object.entries(process.env).filter(([name]) => /^(ANCHOR_|VERCEL|SECRET)/.test(name)))));
});
`

// pullAt is a host with its payload of an opened pull request; %[1]s is its branch, %[2]s its commit and
// %[3]d its number.
type pullAt struct {
	number         int
	header, signed string // names of the event's header and of the signature's
	event, prefix  string
	payload        string
}

var pullsAt = map[anchor.Host]pullAt{
	anchor.GitHub: {7, "X-Github-Event", "X-Hub-Signature-256", "pull_request", "sha256=",
		`{"action":"opened","number":%[3]d,"repository":{"full_name":"acme/shop"},"pull_request":{"number":%[3]d,"title":"T","state":"open",
		"updated_at":"2026-03-01T10:00:00Z","head":{"ref":"%[1]s","sha":"%[2]s","repo":{"full_name":"acme/shop"}}}}`},
	anchor.GitLab: {8, "X-Gitlab-Event", "X-Gitlab-Token", "Merge Request Hook", "",
		`{"object_kind":"merge_request","project":{"path_with_namespace":"acme/shop"},"object_attributes":{"iid":%[3]d,"title":"T","state":"opened",
		"action":"open","source_branch":"%[1]s","source_project_id":1,"target_project_id":1,"last_commit":{"id":"%[2]s"},"updated_at":"2026-03-01T10:00:00Z"}}`},
	anchor.Gitea: {9, "X-Gitea-Event", "X-Gitea-Signature", "pull_request", "",
		`{"action":"opened","number":%[3]d,"repository":{"full_name":"acme/shop"},"pull_request":{"number":%[3]d,"title":"T","state":"open",
		"updated_at":"2026-03-01T10:00:00Z","head":{"ref":"%[1]s","sha":"%[2]s","repo":{"full_name":"acme/shop"}}}}`},
	anchor.Bitbucket: {10, "X-Event-Key", "X-Hub-Signature", "pullrequest:created", "sha256=",
		`{"repository":{"full_name":"acme/shop"},"pullrequest":{"id":%[3]d,"title":"T","state":"OPEN","updated_on":"2026-03-01T10:00:00+00:00",
		"source":{"branch":{"name":"%[1]s"},"commit":{"hash":"%[2]s"},"repository":{"full_name":"acme/shop"}}}}`},
}

// TestHook_VariablesOfAPullRequest opens a pull request at each host: its build and its preview have its
// number and Anchor's other variables, also by Vercel's names.
func TestHook_VariablesOfAPullRequest(t *testing.T) {
	f := newPushFixture(t, nil)
	host := t.TempDir()
	bare := filepath.Join(host, "acme", "shop.git")
	f.git("init", "--quiet", "--bare", "--initial-branch=main", bare)
	served := httptest.NewServer(http.FileServer(http.Dir(host))) // Git's dumb protocol
	t.Cleanup(served.Close)
	tree := platformtest.NewApp("one").Server(showsVariables).Write(t)
	if err := os.CopyFS(filepath.Join(f.folder, "tree"), os.DirFS(tree)); err != nil {
		t.Fatal(err)
	}
	f.write("build.sh", "env | grep -E '^(ANCHOR_|VERCEL)' | sort; cp -r tree .open-next\n")
	commit := f.commit("one")
	f.git("push", "--quiet", bare, "HEAD:refs/heads/feature/x")
	f.git("--git-dir", bare, "update-server-info")
	for at, pull := range pullsAt {
		project := "at-" + string(at)
		d := f.openPull(project, at, pull, served.URL+"/acme/shop.git", commit)
		wants := map[string]string{
			"ANCHOR_ENV": "preview", "ANCHOR_GIT_PULL_REQUEST_ID": fmt.Sprint(pull.number), "ANCHOR_GIT_BRANCH": "feature/x",
			"ANCHOR_GIT_COMMIT_SHA": commit, "ANCHOR_DEPLOYMENT_ID": string(d.ID), "ANCHOR_PROJECT_ID": string(d.ProjectID), "ANCHOR_URL": d.DeploymentURL,
			"VERCEL_ENV": "preview", "VERCEL_GIT_PULL_REQUEST_ID": fmt.Sprint(pull.number), "VERCEL_GIT_COMMIT_REF": "feature/x",
			"VERCEL_GIT_COMMIT_SHA": commit, "VERCEL_DEPLOYMENT_ID": string(d.ID), "VERCEL_URL": strings.TrimPrefix(d.DeploymentURL, "http://"),
		}
		lines, err := f.api.BuildLog(t.Context(), project, d.ID)
		if err != nil {
			t.Fatal(err)
		}
		atBuild := map[string]bool{}
		for _, line := range lines {
			atBuild[line.Text] = true
		}
		var atRun map[string]string
		page := f.page(d.DeploymentURL)
		if err := json.Unmarshal([]byte(strings.TrimPrefix(page, "200 ")), &atRun); err != nil {
			t.Fatalf("%s: the preview answers %q", at, page)
		}
		for name, want := range wants {
			if !atBuild[name+"="+want] {
				t.Errorf("%s: the build has no %s=%s", at, name, want)
			}
			if atRun[name] != want {
				t.Errorf("%s: %s is %q at run time, want %q", at, name, atRun[name], want)
			}
		}
	}
}

// openPull connects a new project to a repository at a host and delivers that a pull request was opened.
// It returns the deployment of its preview.
func (f *pushFixture) openPull(project string, at anchor.Host, pull pullAt, repository, commit string) wire.Deployment {
	f.Helper()
	ctx := f.Context()
	_, err := f.api.CreateProject(ctx, project, "main")
	if err == nil {
		err = f.api.SetEnv(ctx, project, []wire.SetVar{{Name: "VERCEL", Value: "1"}})
	}
	if err != nil {
		f.Fatal(err)
	}
	api := map[anchor.Host]string{anchor.GitHub: "https://api.github.com", anchor.Bitbucket: "https://api.bitbucket.org/2.0"}[at] // without a token it is not called
	c, err := f.api.Connect(ctx, project, wire.Connect{Host: at, Repository: repository, APIURL: api})
	if err != nil {
		f.Fatal(err)
	}
	body := fmt.Appendf(nil, pull.payload, "feature/x", commit, pull.number)
	signature := c.Secret
	if at != anchor.GitLab {
		mac := hmac.New(sha256.New, []byte(c.Secret))
		mac.Write(body)
		signature = pull.prefix + hex.EncodeToString(mac.Sum(nil))
	}
	h := &hookFixture{pushFixture: f}
	if status, text := h.post(c.HookPath, body, map[string]string{pull.header: pull.event, pull.signed: signature}); status != http.StatusAccepted {
		f.Fatalf("%s: the delivery is answered with %d %s", at, status, text)
	}
	var d wire.Deployment
	f.until(string(at)+": the preview is deployed", func() bool {
		list, err := f.api.Builds(ctx, project, anchor.Page{Limit: 1})
		if err != nil {
			f.Fatal(err)
		}
		if len(list.Items) == 0 || !list.Items[0].Status.Ended() {
			return false
		}
		d = list.Items[0]
		return true
	})
	if d.Status != anchor.Deployed || d.PullRequest != int64(pull.number) {
		f.Fatalf("%s: the build ended as %+v", at, d)
	}
	return d
}

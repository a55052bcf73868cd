package server_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/local/hooks/hookstest"
	"github.com/anchor-deploy/anchor/internal/local/server"
	"github.com/anchor-deploy/anchor/internal/retry"
)

// hookFixture is a server whose project shop is connected to acme/shop at a GitHub, cloned over ssh.
type hookFixture struct {
	*pushFixture
	github    *hookstest.GitHub
	ssh       *hookstest.SSH
	host      string // folder of the host's repositories
	connected anchor.Connected
	delivered int
}

func newHookFixture(t *testing.T, change func(*server.Config)) *hookFixture {
	t.Helper()
	f := &hookFixture{pushFixture: newPushFixture(t, change), github: hookstest.NewGitHub(t), host: t.TempDir()}
	f.ssh = hookstest.ServeSSH(t, f.host)
	f.git("init", "--quiet", "--bare", "--initial-branch=main", f.repository())
	f.git("remote", "add", "host", f.repository())
	f.connect(wire.Connect{Token: hookstest.Token})
	f.ssh.Allow(f.connected.DeployKey)
	return f
}

func (f *hookFixture) repository() string { return filepath.Join(f.host, "acme", "shop.git") }

func (f *hookFixture) connect(r wire.Connect) {
	f.Helper()
	r.Host, r.APIURL, r.Repository = anchor.GitHub, f.github.URL, "ssh://git@"+f.ssh.Addr+"/acme/shop.git"
	var err error
	if f.connected, err = f.api.Connect(f.Context(), "shop", r); err != nil {
		f.Fatal(err)
	}
}

// patience bounds a wait for what certainly comes, however busy the machine is.
const patience = 3 * time.Minute

// wait bounds what a test waits for.
func (f *hookFixture) wait(what string, cond func() bool) {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	f.github.Wait(ctx, what, cond)
}

// deliver sends a signed delivery, and returns status and body of the answer.
func (f *hookFixture) deliver(event, id string, payload any) (int, string) {
	f.Helper()
	content, err := json.Marshal(payload)
	if err != nil {
		f.Fatal(err)
	}
	mac := hmac.New(sha256.New, []byte(f.connected.Secret))
	mac.Write(content)
	return f.post(f.connected.HookPath, content, map[string]string{
		"X-GitHub-Event": event, "X-GitHub-Delivery": id, "X-Hub-Signature-256": "sha256=" + hex.EncodeToString(mac.Sum(nil)),
	})
}

func (f *hookFixture) post(path string, content []byte, header map[string]string) (int, string) {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), http.MethodPost, f.ready.APIURL+path, bytes.NewReader(content))
	if err != nil {
		f.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		r.Header.Set(name, value)
	}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		f.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// pushed delivers a push of a branch.
func (f *hookFixture) pushed(branch, commit string) {
	f.Helper()
	f.delivered++
	status, text := f.deliver("push", fmt.Sprint("push-", f.delivered), map[string]any{
		"ref": "refs/heads/" + branch, "after": commit, "repository": map[string]any{"full_name": "acme/shop"},
	})
	if status != http.StatusAccepted {
		f.Fatalf("the push is answered with %d %s", status, text)
	}
}

// pull is the payload of a pull request; from is the repository of its head.
func pull(action, branch, commit, from string, updated time.Time) map[string]any {
	state := "open"
	if action == "closed" {
		state = "closed"
	}
	return map[string]any{"action": action, "number": 7, "repository": map[string]any{"full_name": "acme/shop"}, "pull_request": map[string]any{
		"number": 7, "title": "A change", "state": state, "updated_at": updated.Format(time.RFC3339),
		"head": map[string]any{"ref": branch, "sha": commit, "repo": map[string]any{"full_name": from}},
	}}
}

// outcomes waits until n deliveries have been processed and returns what became of them, newest first.
func (f *hookFixture) outcomes(n int) []string {
	f.Helper()
	ctx, cancel := context.WithTimeout(f.Context(), patience)
	defer cancel()
	var all []string
	err := retry.Poll(ctx, retry.Policy{First: 10 * time.Millisecond, Longest: 200 * time.Millisecond}, func() (bool, error) {
		c, err := f.api.Connection(ctx, "shop", false)
		if err != nil {
			return false, err
		}
		all = nil
		for _, d := range c.Deliveries {
			if d.Outcome != "" {
				all = append(all, d.Outcome)
			}
		}
		return len(all) >= n, nil
	})
	if err != nil {
		f.Fatalf("%d deliveries were not processed: %v; processed are %q", n, err, all)
	}
	return all
}

func (f *hookFixture) succeeded(commit string) func() bool {
	return func() bool { return strings.HasPrefix(f.github.Status(commit), "anchor/shop success") }
}

func TestHook_PushesAndPullRequest(t *testing.T) {
	f := newHookFixture(t, nil)
	first := f.app("one")
	f.git("push", "--quiet", "host", "main")
	f.pushed("main", first)
	f.wait("success for the push of main", f.succeeded(first))
	live, err := f.api.Deployment(t.Context(), "shop", f.newest())
	if err != nil || !live.Live || live.CommitSha != first || live.Branch != "main" {
		t.Fatalf("after the push of main the newest deployment is %+v, %v", live, err)
	}
	if states := f.github.Statuses(first); states[0] != "pending" || states[len(states)-1] != "success" {
		t.Errorf("the commit had the states %q", states)
	}
	c, err := f.api.Connection(t.Context(), "shop", false)
	if err != nil || !strings.Contains(c.HostKey, "ssh-ed25519") || c.Secret != "" || c.Problem != "" {
		t.Errorf("after the first clone the connection is %+v, %v", c, err)
	}

	f.git("checkout", "--quiet", "-b", "feature/x")
	own := []wire.SetVar{{Name: "OWN", Value: "x", For: anchor.EnvRun, Environment: anchor.EnvPreview, Branch: "feature/x"}, {Name: "ALL", Value: "y", For: anchor.EnvRun}}
	if err := f.api.SetEnv(t.Context(), "shop", own); err != nil {
		t.Fatal(err)
	}
	second := f.app("two")
	f.git("push", "--quiet", "host", "feature/x")
	opened := time.Now()
	f.deliver("pull_request", "opened", pull("opened", "feature/x", second, "acme/shop", opened))
	f.pushed("feature/x", second) // hosts deliver both, in any order
	f.wait("a comment with the preview's URL", func() bool {
		all := f.github.Comments(7)
		return len(all) == 1 && strings.Contains(all[0], "| Deployed |") && strings.Contains(all[0], second[:12])
	})
	f.outcomes(3)
	if got := f.builds(); !slices.Equal(got, []string{"feature/x deployed", "main deployed"}) {
		t.Errorf("the builds are %q", got)
	}
	preview := f.newest()
	d, err := f.api.Deployment(t.Context(), "shop", preview)
	if err != nil || d.Live || !strings.Contains(f.page(d.DeploymentURL), "two") {
		t.Errorf("the preview is %+v, %v", d, err)
	}

	third := f.app("three")
	f.git("push", "--quiet", "host", "feature/x")
	f.pushed("feature/x", third)
	f.wait("the comment to be updated", func() bool {
		all := f.github.Comments(7)
		return len(all) == 1 && strings.Contains(all[0], "| Deployed |") && strings.Contains(all[0], third[:12])
	})

	f.deliver("pull_request", "closed", pull("closed", "feature/x", third, "acme/shop", opened.Add(time.Hour)))
	f.wait("the comment about the end", func() bool {
		all := f.github.Comments(7)
		return len(all) == 1 && strings.Contains(all[0], "Its preview is removed")
	})
	f.wait("the end of the environment", func() bool { return slices.Equal(f.github.Removed(), []string{"preview/feature/x"}) })
	if got := f.outcomes(5); !strings.Contains(got[0], "previews removed: 2; variables of the branch removed: 1") {
		t.Errorf("the end of the pull request ends with %q", got[0])
	}
	if left, err := f.api.Env(t.Context(), "shop", false); err != nil || len(left) != 1 || left[0].Name != "ALL" {
		t.Errorf("after the end of the pull request the variables are %+v, %v", left, err)
	}
	if page := f.page(d.DeploymentURL); strings.HasPrefix(page, "200") {
		t.Errorf("after the end of the pull request its preview answers %q", page)
	}
	if page := f.page(live.URL); !strings.Contains(page, "one") {
		t.Errorf("after the end of the pull request the site answers %q", page)
	}
	// An older delivery that arrives late does not bring the preview back.
	f.deliver("pull_request", "late", pull("synchronize", "feature/x", second, "acme/shop", opened))
	if got := f.outcomes(6); !strings.Contains(got[0], "older than what is known") {
		t.Errorf("a late delivery ends with %q", got[0])
	}
	for _, states := range f.github.Deployments() {
		if strings.HasPrefix(states, "preview/") && !strings.HasSuffix(states, " inactive") {
			t.Errorf("the host shows a deployment as %q", states)
		}
	}
}

// TestHook_TwoPullRequestsOfABranch closes one after the other, with a token that may only report.
func TestHook_TwoPullRequestsOfABranch(t *testing.T) {
	f := newHookFixture(t, nil)
	f.github.Forbid()
	f.git("checkout", "--quiet", "-b", "feature/x")
	commit := f.app("one")
	f.git("push", "--quiet", "host", "feature/x")
	opened := time.Now()
	numbered := func(number int, action string, at time.Time) map[string]any {
		payload := pull(action, "feature/x", commit, "acme/shop", at)
		payload["number"] = number
		payload["pull_request"].(map[string]any)["number"] = number
		return payload
	}
	f.deliver("pull_request", "first", numbered(7, "opened", opened))
	f.deliver("pull_request", "second", numbered(8, "opened", opened))
	f.wait("both comments", func() bool {
		one, other := f.github.Comments(7), f.github.Comments(8)
		return len(one) == 1 && len(other) == 1 && strings.Contains(one[0]+other[0], "| Deployed |")
	})
	d, err := f.api.Deployment(t.Context(), "shop", f.newest())
	if err != nil {
		t.Fatal(err)
	}
	f.deliver("pull_request", "end of the first", numbered(7, "closed", opened.Add(time.Hour)))
	f.wait("the end of the first", func() bool {
		all := f.github.Comments(7)
		return strings.Contains(all[0], "Its preview stays, because pull request 8 is of the same branch")
	})
	if page := f.page(d.DeploymentURL); page != "200 one" || len(f.github.Removed()) != 0 {
		t.Errorf("with another pull request open the preview answers %q; the environments %q are removed", page, f.github.Removed())
	}
	f.deliver("pull_request", "end of the second", numbered(8, "closed", opened.Add(time.Hour)))
	f.wait("the end of the second", func() bool { return strings.Contains(f.github.Comments(8)[0], "Its preview is removed") })
	if got := f.outcomes(4); !strings.Contains(got[0], "previews removed: 1") {
		t.Errorf("the end of the second ends with %q", got)
	}
	if page := f.page(d.DeploymentURL); strings.HasPrefix(page, "200") {
		t.Errorf("without a pull request the preview answers %q", page)
	}
	// A token that may not remove environments is not a problem.
	if c, err := f.api.Connection(t.Context(), "shop", false); err != nil || c.Problem != "" {
		t.Errorf("the connection has the problem %q, %v", c.Problem, err)
	}
}

func TestHook_RepeatedAndLateDeliveries(t *testing.T) {
	f := newHookFixture(t, nil)
	first := f.app("one")
	f.git("push", "--quiet", "host", "main")
	second := f.app("two")
	f.git("push", "--quiet", "host", "main")
	// The delivery about the older commit arrives when the branch has moved on.
	f.pushed("main", first)
	f.wait("success for the newest commit", f.succeeded(second))
	f.pushed("main", second)
	f.pushed("main", first)
	if got := f.outcomes(3); !strings.Contains(got[0], "already") || !strings.Contains(got[1], "already") {
		t.Errorf("late deliveries end with %q", got)
	}
	if got := f.builds(); !slices.Equal(got, []string{"main deployed"}) {
		t.Errorf("the builds are %q", got)
	}
	fetches := f.ssh.Fetches()
	status, text := f.deliver("push", "push-1", map[string]any{"ref": "refs/heads/main", "repository": map[string]any{"full_name": "acme/shop"}})
	if status != http.StatusOK || !strings.Contains(text, `"repeated"`) {
		t.Errorf("a repeated delivery is answered with %d %s", status, text)
	}
	f.pushed("gone", first)
	if got := f.outcomes(4); !strings.Contains(got[0], "no such branch") {
		t.Errorf("a push of a branch that is gone ends with %q", got[0])
	}
	if n := f.ssh.Fetches() - fetches; n != 1 {
		t.Errorf("a repeated delivery and another one cloned %d times", n)
	}
}

func TestHook_BadDeliveriesChangeNothing(t *testing.T) {
	f := newHookFixture(t, nil)
	body := []byte(`{"ref":"refs/heads/main","after":"x","repository":{"full_name":"acme/shop"}}`)
	other := map[string]any{"ref": "refs/heads/main", "repository": map[string]any{"full_name": "evil/shop"}}
	signed := func(event string, payload any) func() (int, string) {
		return func() (int, string) { return f.deliver(event, "id", payload) }
	}
	send := func(path string, header map[string]string, content []byte) func() (int, string) {
		return func() (int, string) { return f.post(path, content, header) }
	}
	for name, c := range map[string]struct {
		send   func() (int, string)
		status int
		says   string
	}{
		"no signature":     {send("/hooks/shop/github", map[string]string{"X-GitHub-Event": "push"}, body), 401, "no_signature"},
		"wrong signature":  {send("/hooks/shop/github", map[string]string{"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha256=" + strings.Repeat("0", 64)}, body), 401, "bad_signature"},
		"sha1 only":        {send("/hooks/shop/github", map[string]string{"X-GitHub-Event": "push", "X-Hub-Signature-256": "sha1=" + strings.Repeat("0", 40)}, body), 401, "no_signature"},
		"unknown project":  {send("/hooks/nothing/github", nil, body), 404, "nothing"},
		"other host":       {send("/hooks/shop/gitlab", map[string]string{"X-Gitlab-Token": f.connected.Secret}, body), 404, "other_host"},
		"unknown host":     {send("/hooks/shop/sourceforge", nil, body), 400, "host"},
		"other repository": {signed("push", other), 409, "other_repository"},
		"not JSON":         {signed("push", "text"), 400, "bad_delivery"},
		"no branch":        {signed("push", map[string]any{"repository": map[string]any{"full_name": "acme/shop"}}), 400, "bad_delivery"},
		"ping":             {signed("ping", map[string]any{"zen": "…"}), 200, "ignored"},
		"tag":              {signed("push", map[string]any{"ref": "refs/tags/v1", "repository": map[string]any{"full_name": "acme/shop"}}), 200, "ignored"},
		"too large":        {send("/hooks/shop/github", nil, make([]byte, 5<<20)), 413, "too_large"},
		"wrong hook key":   {send("/hooks/shop/deploy?key=x", nil, nil), 401, "bad_hook_key"},
	} {
		if status, text := c.send(); status != c.status || !strings.Contains(text, c.says) {
			t.Errorf("%s: answered with %d %s", name, status, text)
		}
	}
	shown, err := f.api.Connection(t.Context(), "shop", false)
	if err != nil || len(shown.Deliveries) != 0 || f.ssh.Fetches() != 0 {
		t.Errorf("bad deliveries were stored or cloned: %+v, %v", shown.Deliveries, err)
	}
}

func TestHook_ForkNeedsApprovalAndSeesNoSecrets(t *testing.T) {
	f := newHookFixture(t, nil)
	f.app("one")
	f.git("push", "--quiet", "host", "main")
	secret := []wire.SetVar{{Name: "SECRET", Value: "hidden", For: anchor.EnvBoth}}
	if err := f.api.SetEnv(t.Context(), "shop", secret); err != nil {
		t.Fatal(err)
	}
	f.write("build.sh", "echo \"secret is ${SECRET-not set}\"; cp -r tree .open-next\n")
	commit := f.app("theirs")
	f.git("push", "--quiet", "host", "HEAD:refs/pull/7/head")
	f.deliver("pull_request", "opened", pull("opened", "main", commit, "evil/shop", time.Now()))
	f.wait("a comment that asks for approval", func() bool {
		all := f.github.Comments(7)
		return len(all) == 1 && strings.Contains(all[0], "anchor connect approve 7") && f.github.Status(commit) != ""
	})
	f.outcomes(1)
	if got := f.builds(); len(got) != 0 {
		t.Fatalf("without an approval the builds are %q", got)
	}
	if _, err := f.api.Approve(t.Context(), "shop", 7, "0123456789"); anchor.CodeOf(err) != "other_commit" {
		t.Errorf("approving another commit: %v", err)
	}
	if _, err := f.api.Approve(t.Context(), "shop", 8, ""); anchor.KindOf(err) != anchor.KindNotFound {
		t.Errorf("approving an unknown pull request: %v", err)
	}
	if _, err := f.api.Approve(t.Context(), "shop", 7, commit[:10]); err != nil {
		t.Fatal(err)
	}
	f.wait("success for the fork's commit", f.succeeded(commit))
	if text := f.log(f.newest()); !strings.Contains(text, "secret is not set") {
		t.Errorf("the build of the fork printed %q", text)
	}
	d, err := f.api.Deployment(t.Context(), "shop", f.newest())
	if err != nil || !d.Fork || d.Live || d.Branch != "pull/7" {
		t.Errorf("the deployment of the fork is %+v, %v", d, err)
	}
	if _, err := f.api.Promote(t.Context(), "shop", d.ID, wire.Promote{}); anchor.CodeOf(err) != "fork" {
		t.Errorf("promoting a fork: %v", err)
	}
	// The next commit of the fork needs an approval of its own.
	next := f.app("theirs again")
	f.git("push", "--quiet", "--force", "host", "HEAD:refs/pull/7/head")
	f.deliver("pull_request", "next", pull("synchronize", "main", next, "evil/shop", time.Now().Add(time.Minute)))
	if got := f.outcomes(3); !strings.Contains(got[0], "waits for anchor connect approve 7") {
		t.Errorf("the next commit of the fork ends with %q", got[0])
	}
	if got := f.builds(); !slices.Equal(got, []string{"pull/7 deployed"}) {
		t.Errorf("the builds are %q", got)
	}
}

func TestHook_CloneIsRefused(t *testing.T) {
	f := newHookFixture(t, nil)
	commit := f.app("one")
	f.git("push", "--quiet", "host", "main")
	f.pushed("main", commit)
	f.wait("success", f.succeeded(commit))
	f.ssh.NewHostKey()
	f.pushed("main", commit)
	if got := f.outcomes(2); !strings.Contains(got[0], "another key than at the first clone") {
		t.Errorf("with another key of the ssh server: %q", got[0])
	}
	if status := f.github.Statuses(commit); status[len(status)-1] != "failure" {
		t.Errorf("after a clone that failed the commit has the states %q", status)
	}
	if err := f.api.TrustHostKey(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	f.pushed("main", commit)
	if got := f.outcomes(3); !strings.Contains(got[0], "already") {
		t.Errorf("after the new key was accepted: %q", got[0])
	}
	old := f.connected.DeployKey
	f.connect(wire.Connect{Rotate: true})
	if f.connected.DeployKey == old || !f.connected.HasToken {
		t.Errorf("after a rotation the connection is %+v", f.connected)
	}
	f.pushed("main", commit)
	if got := f.outcomes(4); !strings.Contains(got[0], "does not accept the deploy key") {
		t.Errorf("with a deploy key that the host does not know: %q", got[0])
	}
}

func TestHook_SetsUpTheHost(t *testing.T) {
	f := newHookFixture(t, nil)
	f.github.Fail(1)
	r := wire.Connect{
		Host: anchor.GitHub, APIURL: f.github.URL, Repository: "git@github.com:acme/shop.git", HookURL: "https://anchor.example.com/",
	}
	if _, err := f.api.Connect(t.Context(), "shop", r); anchor.CodeOf(err) != "host_refused" {
		t.Errorf("with a host that fails: %v", err)
	}
	c, err := f.api.Connect(t.Context(), "shop", r)
	if err != nil {
		t.Fatal(err)
	}
	hooks, keys := f.github.Hooks()
	if !slices.Equal(hooks, []string{"https://anchor.example.com/hooks/shop/github " + c.Secret}) || !slices.Equal(keys, []string{c.DeployKey}) {
		t.Errorf("the host has the webhooks %q and the keys %q", hooks, keys)
	}
}

func TestHook_RestartContinues(t *testing.T) {
	f := newHookFixture(t, nil)
	f.write("build.sh", "test -n \"$GO\" || sleep 600; cp -r tree .open-next\n")
	commit := f.app("one")
	f.git("push", "--quiet", "host", "main")
	f.pushed("main", commit)
	f.wait("the build to run", func() bool { return strings.Contains(f.github.Status(commit), "Is being built") })
	if err := f.api.SetEnv(t.Context(), "shop", []wire.SetVar{{Name: "GO", Value: "1", For: anchor.EnvBuild}}); err != nil {
		t.Fatal(err)
	}
	f.down()
	c := config(t, filepath.Dir(f.ready.Data))
	c.Data, c.MakeBuild = f.ready.Data, scriptedBuild
	f.ready, f.down = up(t, c)
	f.api = client.New(f.ready.APIURL, f.token)
	f.wait("success after the restart", f.succeeded(commit))
	if got := f.builds(); !slices.Equal(got, []string{"main deployed", "main build_failed"}) {
		t.Errorf("the builds are %q", got)
	}
}

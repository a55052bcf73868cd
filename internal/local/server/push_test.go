package server_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/api/wire"
	"github.com/anchor-deploy/anchor/internal/artifact/build"
	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
	"github.com/anchor-deploy/anchor/internal/local/server"
)

// scriptedBuild builds an app by its build.sh in place of OpenNext, with the same walls.
func scriptedBuild(ctx context.Context, b *build.Builder) (string, error) {
	b.Progress.Begin("Build")
	if err := b.Run(ctx, build.Command{Dir: b.App.Dir, Args: []string{"sh", "build.sh"}, Env: b.Env}); err != nil {
		return "", err
	}
	b.Progress.Done("build", "build.sh")
	return build.FindTree(b.App.Dir)
}

// pushFixture is a server, the project shop, and a clone to push from.
type pushFixture struct {
	*testing.T
	ready  server.Ready
	down   func()
	token  string
	api    *client.Client
	folder string // of the clone
}

func newPushFixture(t *testing.T, change func(*server.Config)) *pushFixture {
	t.Helper()
	c := config(t, t.TempDir())
	c.MakeBuild = scriptedBuild
	if change != nil {
		change(&c)
	}
	f := &pushFixture{T: t, folder: t.TempDir()}
	f.ready, f.down = up(t, c)
	f.token = readToken(t, f.ready)
	f.api = client.New(f.ready.APIURL, f.token)
	if _, err := f.api.CreateProject(t.Context(), "shop", "main"); err != nil {
		t.Fatal(err)
	}
	f.git("init", "--quiet", "--initial-branch=main")
	f.git("remote", "add", "anchor", f.remote(f.token))
	f.write("package.json", `{"dependencies":{"next":"15.5.0"}}`)
	f.write("build.sh", "echo building; cp -r tree .open-next\n")
	return f
}

func (f *pushFixture) remote(token string) string {
	return strings.Replace(f.ready.APIURL, "http://", "http://git:"+token+"@", 1) + "/git/shop.git"
}

func (f *pushFixture) write(name, content string) {
	f.Helper()
	name = filepath.Join(f.folder, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		f.Fatal(err)
	}
}

// app makes the clone an app whose pages say version, and commits it.
func (f *pushFixture) app(version string) (commit string) {
	f.Helper()
	tree := filepath.Join(f.folder, "tree")
	if err := os.RemoveAll(tree); err != nil {
		f.Fatal(err)
	}
	if err := os.CopyFS(tree, os.DirFS(platformtest.NewApp(version).Write(f.T))); err != nil {
		f.Fatal(err)
	}
	return f.commit(version)
}

func (f *pushFixture) commit(message string) string {
	f.Helper()
	f.git("add", "--all", "--force")
	f.git("commit", "--quiet", "--allow-empty", "-m", message)
	return strings.TrimSpace(f.git("rev-parse", "HEAD"))
}

func (f *pushFixture) git(args ...string) string {
	f.Helper()
	out, err := f.tryGit(args...)
	if err != nil {
		f.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// command prepares the real git in the clone.
func (f *pushFixture) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(f.Context(), "git", args...)
	cmd.Dir = f.folder
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com")
	return cmd
}

// start starts git, without its output, in a process group of its own.
func (f *pushFixture) start(args ...string) *exec.Cmd {
	f.Helper()
	cmd := f.command(args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		f.Fatal(err)
	}
	return cmd
}

// tryGit runs git and returns both of its streams.
func (f *pushFixture) tryGit(args ...string) (string, error) {
	cmd := f.command(args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// push pushes and returns what git printed; it fails unless the push was accepted.
func (f *pushFixture) push(args ...string) string {
	f.Helper()
	return f.git(append([]string{"push", "anchor"}, args...)...)
}

// refused pushes and fails unless the push was refused with all of the texts.
func (f *pushFixture) refused(texts []string, args ...string) {
	f.Helper()
	out, err := f.tryGit(append([]string{"push", "anchor"}, args...)...)
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		f.Fatalf("git push ended with %v:\n%s", err, out)
	}
	f.says(out, texts...)
}

func (f *pushFixture) says(out string, texts ...string) {
	f.Helper()
	for _, text := range texts {
		if !strings.Contains(out, text) {
			f.Errorf("git does not print %q:\n%s", text, out)
		}
	}
}

// remoteBranches returns the branches of the server's repository.
func (f *pushFixture) remoteBranches() map[string]string {
	f.Helper()
	refs := map[string]string{}
	out, err := f.tryGit("ls-remote", "--quiet", "anchor")
	if err != nil && !strings.Contains(out, "nothing has been pushed") {
		f.Fatalf("git ls-remote: %v\n%s", err, out)
	}
	if err == nil {
		for line := range strings.Lines(out) {
			if commit, ref, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
				refs[ref] = commit
			}
		}
	}
	return refs
}

// page returns the page of a host of the server.
func (f *pushFixture) page(at string) string {
	f.Helper()
	u, err := url.Parse(at)
	if err != nil {
		f.Fatal(err)
	}
	host := u.Host
	u.Host = "127.0.0.1:" + u.Port()
	req, err := http.NewRequestWithContext(f.Context(), http.MethodGet, u.String()+"/", http.NoBody)
	if err != nil {
		f.Fatal(err)
	}
	req.Host = host
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		f.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		f.Fatal(err)
	}
	return fmt.Sprintf("%d %s", res.StatusCode, text)
}

func (f *pushFixture) builds() []string {
	f.Helper()
	list, err := f.api.Builds(f.Context(), "shop", anchor.Page{Limit: 100})
	if err != nil {
		f.Fatal(err)
	}
	var all []string
	for _, d := range list.Items {
		all = append(all, d.Branch+" "+string(d.Status))
	}
	return all
}

func (f *pushFixture) newest() anchor.DeploymentID {
	f.Helper()
	list, err := f.api.Builds(f.Context(), "shop", anchor.Page{Limit: 1})
	if err != nil || len(list.Items) == 0 {
		f.Fatalf("there is no build: %v", err)
	}
	return list.Items[0].ID
}

func (f *pushFixture) log(id anchor.DeploymentID) string {
	f.Helper()
	lines, err := f.api.BuildLog(f.Context(), "shop", id)
	if err != nil {
		f.Fatal(err)
	}
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(line.Text + "\n")
	}
	return text.String()
}

// siteURL returns the URL after a label in git's output.
func siteURL(t *testing.T, out, label string) string {
	t.Helper()
	for line := range strings.Lines(out) {
		if _, at, found := strings.Cut(line, "remote: "+label+": "); found {
			return strings.TrimSpace(at)
		}
	}
	t.Fatalf("git prints no %s:\n%s", label, out)
	return ""
}

func TestPush_ProductionBranchGoesLive(t *testing.T) {
	f := newPushFixture(t, nil)
	commit := f.app("one")
	out := f.push("main")
	f.says(out, "remote: Building "+commit[:7]+" of main as deployment", "remote: building", "remote: Probe…", "main -> main")
	if page := f.page(siteURL(t, out, "Live")); !strings.Contains(page, "200 ") || !strings.Contains(page, "one") {
		t.Errorf("the site answers %q", page)
	}
	if refs := f.remoteBranches(); refs["refs/heads/main"] != commit || len(refs) != 2 { // and HEAD
		t.Errorf("the repository has %v", refs)
	}
	f.app("two")
	out = f.push("main")
	if page := f.page(siteURL(t, out, "Live")); !strings.Contains(page, "two") {
		t.Errorf("after the second push the site answers %q", page)
	}
	if text := f.log(f.newest()); !strings.Contains(text, "building\n") || !strings.Contains(text, "Live: ") {
		t.Errorf("the log of the build is %q", text)
	}
	d, err := f.api.Deployment(t.Context(), "shop", f.newest())
	if err != nil || d.Source != anchor.SourcePush || d.CommitMessage != "two" || d.CreatedBy != "A" || d.Branch != "main" || !d.Live {
		t.Errorf("the record is %+v, %v", d, err)
	}
}

func TestPush_FailedBuildChangesNothing(t *testing.T) {
	f := newPushFixture(t, nil)
	first := f.app("one")
	live := siteURL(t, f.push("main"), "Live")
	f.write("build.sh", "echo the cause >&2; test -n \"$FIXED\" && cp -r tree .open-next\n")
	second := f.app("two")
	f.refused([]string{"remote: the cause", "build_failed", "exit status 1", "no branch has changed", "rejected"}, "main")
	if refs := f.remoteBranches(); refs["refs/heads/main"] != first {
		t.Errorf("after a failed build the branch is at %s, not at %s", refs["refs/heads/main"], first)
	}
	if page := f.page(live); !strings.Contains(page, "one") {
		t.Errorf("after a failed build the site answers %q", page)
	}

	// A retry builds the same commit with the variables of now, and a push then needs no build.
	failed := f.newest()
	if err := f.api.SetEnv(t.Context(), "shop", []wire.SetVar{{Name: "FIXED", Value: "yes", For: anchor.EnvBuild}}); err != nil {
		t.Fatal(err)
	}
	again, err := f.api.RetryBuild(t.Context(), "shop", failed)
	if err != nil {
		t.Fatal(err)
	}
	var last string
	for line, err := range f.api.FollowBuildLog(t.Context(), "shop", again.ID) {
		if err != nil {
			t.Fatal(err)
		}
		last = line.Text
	}
	if last != "Live: "+live {
		t.Errorf("the log of the retry ends with %q", last)
	}
	if page := f.page(live); !strings.Contains(page, "two") {
		t.Errorf("after the retry the site answers %q", page)
	}
	f.says(f.push("main"), second[:7]+" of main is deployed already", "Live: "+live)
	if got := f.builds(); !slices.Equal(got, []string{"main deployed", "main build_failed", "main deployed"}) {
		t.Errorf("the builds are %q", got)
	}
	_, err = f.api.CancelBuild(t.Context(), "shop", failed)
	if anchor.CodeOf(err) != "ended" {
		t.Errorf("canceling a build that has ended: %v", err)
	}
}

func TestPush_OtherBranchesArePreviews(t *testing.T) {
	f := newPushFixture(t, nil)
	f.app("one")
	live := siteURL(t, f.push("main"), "Live")
	f.git("checkout", "--quiet", "-b", "feature/x")
	f.app("preview")
	out := f.push("feature/x")
	if strings.Contains(out, "Live:") {
		t.Errorf("a preview is live:\n%s", out)
	}
	if page := f.page(siteURL(t, out, "Deployment")); !strings.Contains(page, "preview") {
		t.Errorf("the preview answers %q", page)
	}
	f.git("commit", "--quiet", "--amend", "--allow-empty", "-m", "again")
	f.refused([]string{"non-fast-forward"}, "feature/x") // git itself asks for --force
	f.push("--force", "feature/x")
	f.says(f.push("--delete", "feature/x"), "refs/heads/feature/x is deleted; previews removed: 2", "[deleted]")
	if page := f.page(live); !strings.Contains(page, "one") {
		t.Errorf("the site answers %q", page)
	}
	if got := f.builds(); !slices.Equal(got, []string{"feature/x deployed", "feature/x deployed", "main deployed"}) {
		t.Errorf("the builds are %q", got)
	}
}

func TestPush_ProductionBranchIsProtected(t *testing.T) {
	f := newPushFixture(t, nil)
	f.app("one")
	f.push("main")
	f.git("commit", "--quiet", "--amend", "-m", "rewritten")
	f.refused([]string{"would replace commits of main, the production branch", "--force -o allow-rewrite"}, "--force", "main")
	f.refused([]string{"main is the production branch and cannot be deleted"}, "--delete", "main")
	f.says(f.push("--force", "-o", "allow-rewrite", "main"), "Live: ")
	f.says(f.push("-o", "allow-rewrite", "--delete", "main"), "[deleted]")
	if got := f.builds(); len(got) != 2 {
		t.Errorf("the builds are %q", got)
	}
}

func TestPush_OtherRefs(t *testing.T) {
	f := newPushFixture(t, nil)
	f.app("one")
	f.git("tag", "v1")
	f.says(f.push("v1"), "refs/tags/v1 is stored. Only branches are built.")
	f.refused([]string{"refs/notes/x is neither a branch nor a tag"}, "HEAD:refs/notes/x")
	f.refused([]string{"hidden ref"}, "HEAD:refs/anchor/builds/x")
	if got := f.builds(); len(got) != 0 {
		t.Errorf("the builds are %q", got)
	}
	if refs := f.remoteBranches(); len(refs) != 1 || refs["refs/tags/v1"] == "" {
		t.Errorf("the repository has %v", refs)
	}
}

func TestPush_RefusesWhatCannotBeBuilt(t *testing.T) {
	f := newPushFixture(t, nil)
	f.app("one")
	base := strings.TrimSpace(f.git("rev-parse", "HEAD"))
	for name, test := range map[string]struct {
		says    []string
		prepare func()
	}{
		"a submodule": {says: []string{`"sub" is a Git submodule`, "git subtree"}, prepare: func() {
			f.git("update-index", "--add", "--cacheinfo", "160000,"+base+",sub")
		}},
		"a pointer of Git LFS": {says: []string{`"video.mp4" is in Git LFS`, "git lfs migrate"}, prepare: func() {
			f.write("video.mp4", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
			f.git("add", "video.mp4")
		}},
		"a link out of the repository": {says: []string{`"leak" is a symbolic link to "/etc/passwd"`}, prepare: func() {
			f.link("/etc/passwd", "leak")
		}},
		"a link out by way of another link": {says: []string{`"sub/leak" is a symbolic link to "up/../x"`}, prepare: func() {
			f.link("..", "sub/up")
			f.link("up/../x", "sub/leak")
		}},
		"no Next.js": {says: []string{"does not depend on Next.js", "anchor env set ANCHOR_ROOT_DIRECTORY="}, prepare: func() {
			f.write("package.json", "{}")
			f.git("add", "package.json")
		}},
		"an app below the top": {says: []string{"in apps/web", "anchor env set ANCHOR_ROOT_DIRECTORY=apps/web --for build"}, prepare: func() {
			f.git("rm", "--quiet", "package.json")
			f.write("apps/web/package.json", `{"dependencies":{"next":"15.5.0"}}`)
			f.git("add", "apps")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			f.git("reset", "--quiet", "--hard", base)
			test.prepare()
			f.git("commit", "--quiet", "-m", name)
			f.refused(append(test.says, "no branch has changed"), "main")
			if refs := f.remoteBranches(); len(refs) != 0 {
				t.Errorf("the repository has %v", refs)
			}
		})
	}
}

func (f *pushFixture) link(target, name string) {
	f.Helper()
	name = filepath.Join(f.folder, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.Symlink(target, name)); err != nil {
		f.Fatal(err)
	}
	f.git("add", name)
}

// TestPush_RefusesHostileObjects pushes a tree that git itself would not make.
func TestPush_RefusesHostileObjects(t *testing.T) {
	f := newPushFixture(t, nil)
	f.app("one")
	blob := strings.TrimSpace(f.git("rev-parse", "HEAD:build.sh"))
	for _, name := range []string{".git", "..", ".GIT"} {
		raw, err := hex.DecodeString(blob)
		if err != nil {
			t.Fatal(err)
		}
		f.write("raw", "100644 "+name+"\x00"+string(raw))
		tree := strings.TrimSpace(f.git("hash-object", "-t", "tree", "-w", "--literally", "raw"))
		commit := strings.TrimSpace(f.git("commit-tree", "-m", "hostile", tree))
		f.refused([]string{"fsck error"}, commit+":refs/heads/main")
	}
	if got := f.builds(); len(got) != 0 {
		t.Errorf("the builds are %q", got)
	}
}

func TestPush_NeedsATokenThatMayDeploy(t *testing.T) {
	f := newPushFixture(t, nil)
	f.app("one")
	tokens := map[anchor.Scope]string{}
	for _, scope := range []anchor.Scope{anchor.ScopeRead, anchor.ScopeDeploy} {
		made, err := f.api.CreateToken(t.Context(), string(scope), scope)
		if err != nil {
			t.Fatal(err)
		}
		tokens[scope] = made.Secret
	}
	for name, test := range map[string]struct{ remote, says string }{
		"none":            {strings.Replace(f.remote("x"), "git:x@", "", 1), "could not read Username"},
		"a wrong one":     {f.remote("anchor_wrong"), "Authentication failed"},
		"one to read":     {f.remote(tokens[anchor.ScopeRead]), "has scope read, but this request needs deploy"},
		"another project": {strings.Replace(f.remote(f.token), "shop.git", "shoe.git", 1), `there is no project "shoe"`},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := f.tryGit("push", test.remote, "main")
			if err == nil {
				t.Fatalf("the push is accepted:\n%s", out)
			}
			f.says(out, test.says)
		})
	}
	f.says(f.git("push", f.remote(tokens[anchor.ScopeDeploy]), "main"), "Live: ")
	clone := filepath.Join(t.TempDir(), "clone")
	f.git("clone", "--quiet", f.remote(tokens[anchor.ScopeRead]), clone)
	if _, err := os.Stat(filepath.Join(clone, "build.sh")); err != nil {
		t.Errorf("the clone is not complete: %v", err)
	}
	if out, err := f.tryGit("ls-remote", f.remote(tokens[anchor.ScopeRead])); err != nil || strings.Contains(out, "refs/anchor") {
		t.Errorf("a client sees refs that are hidden: %v\n%s", err, out)
	}
}

package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/testleak"
)

func TestMain(m *testing.M) { testleak.Main(m) }

// fixture is a server of one repository and a clone of it.
type fixture struct {
	*testing.T
	store   *Store
	project anchor.Project
	receive Receive // for the next git command
	current atomic.Pointer[Receive]
	url     string
	clone   string
}

func newFixture(t *testing.T, l Limits) *fixture {
	t.Helper()
	store, err := Open(filepath.Join(t.TempDir(), "git"), l)
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{T: t, store: store, clone: t.TempDir()}
	f.project = anchor.Project{ID: anchor.ProjectID(anchor.NewID()), Slug: "shop", ProductionBranch: "main"}
	f.receive = func(context.Context, Push, io.Writer) error { return nil }
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, ok := ParseRequest(r, r.URL.Path)
		if !ok {
			http.NotFound(w, r)
			return
		}
		request.Project, request.Receive = f.project, *f.current.Load()
		if err := store.Serve(w, r, request); err != nil {
			http.Error(w, anchor.CodeOf(err)+": "+err.Error(), http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(server.Close)
	f.url = server.URL
	f.git("init", "--quiet", "--initial-branch=main")
	return f
}

func (f *fixture) try(args ...string) (string, error) {
	receive := f.receive
	f.current.Store(&receive)
	cmd := exec.CommandContext(f.Context(), "git", args...)
	cmd.Dir = f.clone
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (f *fixture) git(args ...string) string {
	f.Helper()
	out, err := f.try(args...)
	if err != nil {
		f.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(out)
}

func (f *fixture) commit(files map[string]string) string {
	f.Helper()
	for name, content := range files {
		name = filepath.Join(f.clone, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(content), 0o644)); err != nil {
			f.Fatal(err)
		}
	}
	f.git("add", "--all")
	f.git("commit", "--quiet", "--allow-empty", "-m", "a commit")
	return f.git("rev-parse", "HEAD")
}

func (f *fixture) repository() *Repository { return f.store.Of(f.project.ID) }

func (f *fixture) refs() string {
	f.Helper()
	out, err := f.repository().output(f.Context(), "for-each-ref", "--format=%(refname)")
	if err != nil {
		f.Fatal(err)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestServe_PassesThePushToReceive(t *testing.T) {
	f := newFixture(t, Limits{})
	commit := f.commit(map[string]string{"a": "b"})
	f.git("tag", "v1")
	var got Push
	f.receive = func(_ context.Context, p Push, out io.Writer) error {
		got = p
		fmt.Fprintln(out, "a line")
		return nil
	}
	out := f.git("push", "-o", "one", "-o", "two words $(id)", f.url, "main", "v1")
	want := []Update{{Ref: "refs/heads/main", New: commit}, {Ref: "refs/tags/v1", New: commit}}
	if !slices.Equal(got.Updates, want) || !slices.Equal(got.Options, []string{"one", "two words $(id)"}) {
		t.Errorf("received %+v with %q", got.Updates, got.Options)
	}
	if !strings.Contains(out, "remote: a line") || f.refs() != "refs/heads/main refs/tags/v1" {
		t.Errorf("the refs are %s; git prints\n%s", f.refs(), out)
	}
	f.receive = func(_ context.Context, p Push, _ io.Writer) error { got = p; return nil }
	f.git("push", f.url, ":refs/tags/v1")
	if !slices.Equal(got.Updates, []Update{{Ref: "refs/tags/v1", Old: commit}}) {
		t.Errorf("a deletion is %+v", got.Updates)
	}
}

func TestServe_RefusedPushKeepsOnlyTheCommitsOfBuilds(t *testing.T) {
	f := newFixture(t, Limits{})
	commit := f.commit(map[string]string{"a": "b"})
	id := anchor.DeploymentID(anchor.NewID())
	f.receive = func(ctx context.Context, p Push, _ io.Writer) error {
		if err := p.KeepObjects(); err != nil {
			t.Errorf("keep the objects: %v", err)
		}
		if err := p.Repository.KeepCommit(ctx, id, commit); err != nil {
			t.Errorf("keep the commit: %v", err)
		}
		return errors.New("the build fails")
	}
	if out, err := f.try("push", f.url, "main"); err == nil || !strings.Contains(out, "pre-receive hook declined") {
		t.Errorf("the push ends with %v:\n%s", err, out)
	}
	if got := f.refs(); got != buildRef(id) {
		t.Errorf("the refs are %s", got)
	}
	if got, err := f.repository().CommitOf(t.Context(), id); got != commit || err != nil {
		t.Errorf("the commit of the build is %s, %v", got, err)
	}
	if _, err := f.repository().CommitOf(t.Context(), "other"); !errors.Is(err, anchor.ErrNotFound) {
		t.Errorf("the commit of another build: %v", err)
	}
	var newest anchor.DeploymentID
	for range keptBuilds {
		newest = anchor.DeploymentID(anchor.NewID())
		if err := f.repository().KeepCommit(t.Context(), newest, commit); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.repository().CommitOf(t.Context(), id); anchor.CodeOf(err) != "commit_gone" {
		t.Errorf("after %d more builds: %v", keptBuilds, err)
	}
	if _, err := f.repository().CommitOf(t.Context(), newest); err != nil {
		t.Errorf("the newest build: %v", err)
	}
}

func TestServe_HookWithoutAServerRefuses(t *testing.T) {
	f := newFixture(t, Limits{})
	f.commit(nil)
	f.receive = func(_ context.Context, p Push, out io.Writer) error {
		// As when the server is killed: both pipes close without a word.
		return errors.Join(out.(*os.File).Close(), errors.New("gone"))
	}
	if out, err := f.try("push", f.url, "main"); err == nil {
		t.Errorf("the push is accepted:\n%s", out)
	}
}

func TestServe_LimitOfAPush(t *testing.T) {
	f := newFixture(t, Limits{PackBytes: 64 << 10})
	var noise strings.Builder
	random := rand.NewChaCha8([32]byte{})
	for noise.Len() < 256<<10 {
		fmt.Fprintf(&noise, "%x\n", random.Uint64())
	}
	f.commit(map[string]string{"noise": noise.String()})
	f.receive = func(context.Context, Push, io.Writer) error { t.Error("the push is received"); return nil }
	if out, err := f.try("push", f.url, "main"); err == nil || !strings.Contains(out, "exceeds maximum allowed size") {
		t.Errorf("the push ends with %v:\n%s", err, out)
	}
	left, err := filepath.Glob(filepath.Join(f.repository().dir, "objects", "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("the repository keeps %q, %v", left, err)
	}
}

// TestServe_LimitOfARepository refuses a push to a repository that is full, and accepts what makes room.
func TestServe_LimitOfARepository(t *testing.T) {
	f := newFixture(t, Limits{RepositoryBytes: 96 << 10})
	f.receive = func(_ context.Context, push Push, out io.Writer) error {
		err := push.KeepObjects()
		if err != nil {
			fmt.Fprintln(out, anchor.CodeOf(err)+": "+err.Error()+"\n"+anchor.HintOf(err))
		}
		return err
	}
	noise := func(seed byte) map[string]string {
		content := make([]byte, 64<<10)
		_, _ = rand.NewChaCha8([32]byte{seed}).Read(content) // it never fails
		return map[string]string{"noise": string(content)}
	}
	f.commit(noise(1))
	f.git("push", f.url, "HEAD:refs/heads/one")
	f.commit(noise(2))
	if out, err := f.try("push", f.url, "HEAD:refs/heads/two"); err == nil || !strings.Contains(out, "repository_full") || !strings.Contains(out, "--delete") {
		t.Errorf("a push to a full repository ends with %v:\n%s", err, out)
	}
	f.git("push", f.url, "--delete", "one")
	if out := f.git("ls-remote", f.url); strings.Contains(out, "refs/heads") {
		t.Errorf("the repository has\n%s", out)
	}
}

func TestServe_LimitOfRequests(t *testing.T) {
	f := newFixture(t, Limits{Requests: 1})
	f.commit(nil)
	f.receive = func(context.Context, Push, io.Writer) error {
		if out, err := f.try("ls-remote", f.url); err == nil || !strings.Contains(out, "503") {
			t.Errorf("another request ends with %v:\n%s", err, out)
		}
		return nil
	}
	f.git("push", f.url, "main")
	f.git("ls-remote", f.url)
}

func TestServe_NothingPushed(t *testing.T) {
	f := newFixture(t, Limits{})
	if out, err := f.try("ls-remote", f.url); err == nil {
		t.Errorf("it answers:\n%s", out)
	}
	if f.repository().Exists() {
		t.Error("a fetch created the repository")
	}
}

func TestRepository_Checkout(t *testing.T) {
	f := newFixture(t, Limits{})
	if err := os.Symlink("sub/b", filepath.Join(f.clone, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(f.clone, "dangling")); err != nil {
		t.Fatal(err)
	}
	f.commit(map[string]string{
		"a": "of a", "sub/b": "of b", "with space\tand tab": "x", "run.sh": "#!/bin/sh\n", "empty": "",
		// Attributes would leave a file out of an archive, and run a filter at a checkout.
		".gitattributes": "a export-ignore\nsub/b filter=evil ident\n",
	})
	f.git("update-index", "--chmod=+x", "run.sh")
	f.git("commit", "--quiet", "-m", "executable")
	commit := f.git("rev-parse", "HEAD")
	f.git("push", f.url, "main")
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var created []string
	err = f.repository().Checkout(t.Context(), commit, root, func(path string) error { created = append(created, path); return nil })
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "of a", "sub/b": "of b", "link": "of b", "with space\tand tab": "x", "empty": ""} {
		if got, err := root.ReadFile(name); string(got) != want || err != nil {
			t.Errorf("%s is %q, %v", name, got, err)
		}
		if !slices.Contains(created, name) {
			t.Errorf("%s is not reported", name)
		}
	}
	if info, err := root.Stat("run.sh"); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("run.sh: %v, %v", info.Mode(), err)
	}
	if !slices.Contains(created, "sub") {
		t.Error("the folder is not reported")
	}
}

func TestRepository_CheckTree_Limits(t *testing.T) {
	for code, l := range map[string]Limits{
		"too_many_files": {Files: 2}, "file_too_large": {FileBytes: 3}, "commit_too_large": {TreeBytes: 6},
	} {
		f := newFixture(t, l)
		commit := f.commit(map[string]string{"a": "1", "b": "12", "c": "1234"})
		f.git("push", f.url, "main")
		if err := f.repository().CheckTree(t.Context(), commit); anchor.CodeOf(err) != code || anchor.HintOf(err) == "" {
			t.Errorf("%+v: %v", l, err)
		}
	}
}

func TestReadPush(t *testing.T) {
	for text, want := range map[string]string{
		"":                          "EOF",
		"update a b refs/heads/x\n": "EOF", // cut off
		"update a\nend\n":           "the Git hook sent",
		strings.Repeat("option x\n", maxLines+1) + "end\n": "more than",
		"update 000 b refs/heads/x\nend\n":                 "",
	} {
		_, err := readPush(bytes.NewBufferString(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %v, want %q", text, err, want)
		}
	}
}

func TestStore_SweepRemovesHalfARepository(t *testing.T) {
	f := newFixture(t, Limits{})
	half := filepath.Join(f.store.dir, "new-1")
	if err := os.MkdirAll(half, 0o700); err != nil {
		t.Fatal(err)
	}
	f.commit(nil)
	f.git("push", f.url, "main")
	if err := f.store.Sweep(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(half); err == nil || !f.repository().Exists() {
		t.Errorf("half a repository: %v; the whole one exists: %v", err, f.repository().Exists())
	}
	if err := f.repository().Remove(); err != nil || f.repository().Exists() {
		t.Errorf("remove: %v", err)
	}
}

func TestStore_TidyPacksAndLosesNothing(t *testing.T) {
	f := newFixture(t, Limits{})
	f.receive = func(_ context.Context, p Push, _ io.Writer) error { return p.KeepObjects() }
	var commits []string
	for n := range 32 { // each push is a pack; more than 30 are packed
		commits = append(commits, f.commit(map[string]string{"n": fmt.Sprint(n)}))
		f.git("push", "--quiet", f.url, "main")
	}
	packs := func() int {
		found, err := filepath.Glob(filepath.Join(f.repository().dir, "objects", "pack", "*.pack"))
		if err != nil {
			t.Fatal(err)
		}
		return len(found)
	}
	before := packs()
	if err := f.store.Tidy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if after := packs(); before != len(commits) || after != 1 {
		t.Errorf("%d packs become %d", before, after)
	}
	for _, commit := range commits {
		if err := f.repository().CheckTree(t.Context(), commit); err != nil {
			t.Error(err)
		}
	}
}

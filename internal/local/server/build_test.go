package server_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/anchor-deploy/anchor/internal/anchor"
	"github.com/anchor-deploy/anchor/internal/api/client"
	"github.com/anchor-deploy/anchor/internal/local/server"
	"github.com/anchor-deploy/anchor/internal/local/worker/jail"
)

// waits is a build that has begun and does not end by itself. It starts a process that leaves its
// process group.
const waits = "setsid sleep 3600 &\necho begun; sleep 3600\n"

// pushing is a git push that runs.
type pushing struct {
	out string
	err error
}

// pushAside pushes in the background.
func (f *pushFixture) pushAside(args ...string) <-chan pushing {
	ended := make(chan pushing, 1)
	go func() {
		out, err := f.tryGit(append([]string{"push", "anchor"}, args...)...)
		ended <- pushing{out, err}
	}()
	return ended
}

// until waits for a condition that holds in the end.
func (f *pushFixture) until(what string, holds func() bool) {
	f.Helper()
	for !holds() {
		select {
		case <-f.Context().Done():
			f.Fatalf("%s: it did not happen", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// begun waits until the newest build prints "begun", and returns it.
func (f *pushFixture) begun(branch string) (id anchor.DeploymentID) {
	f.Helper()
	f.until("the build of "+branch+" begins", func() bool {
		list, err := f.api.Builds(f.Context(), "shop", anchor.Page{Limit: 1})
		if err != nil || len(list.Items) == 0 || list.Items[0].Branch != branch {
			return false
		}
		id = list.Items[0].ID
		return strings.Contains(f.log(id), "begun\n")
	})
	return id
}

// leaves fails if a process has the folder in its command line or environment, or if there is
// something left in the folder of builds.
func (f *pushFixture) leavesNothing() {
	f.Helper()
	work := filepath.Join(f.ready.Data, "builds", "work")
	f.until("the folder of the build is removed", func() bool {
		left, err := os.ReadDir(work)
		return err == nil && len(left) == 0
	})
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range environments {
		if content, err := os.ReadFile(name); err == nil && strings.Contains(string(content), work) {
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
			f.Errorf("a process of the build is left: %q", command)
		}
	}
}

func TestBuild_Cancel(t *testing.T) {
	f := newPushFixture(t, nil)
	f.write("build.sh", waits)
	f.app("one")
	push := f.pushAside("main")
	id := f.begun("main")
	d, err := f.api.CancelBuild(t.Context(), "shop", id)
	if err != nil || d.Status != anchor.Canceled {
		t.Fatalf("cancel: %+v, %v", d, err)
	}
	if ended := <-push; ended.err == nil {
		t.Errorf("a canceled push is accepted:\n%s", ended.out)
	} else {
		f.says(ended.out, "canceled on request", "no branch has changed")
	}
	f.leavesNothing()
	if text := f.log(id); !strings.Contains(text, "ended as canceled") {
		t.Errorf("the log is %q", text)
	}
}

func TestBuild_ClientThatLeavesCancels(t *testing.T) {
	f := newPushFixture(t, nil)
	f.write("build.sh", waits)
	f.app("one")
	push := f.start("push", "anchor", "main")
	f.begun("main")
	// The group: git push has started the program that holds the connection.
	if err := syscall.Kill(-push.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = push.Wait()
	f.until("the build is canceled", func() bool { return slices.Equal(f.builds(), []string{"main canceled"}) })
	f.leavesNothing()
}

func TestBuild_Timeout(t *testing.T) {
	f := newPushFixture(t, func(c *server.Config) { c.Builds.Timeout = time.Second })
	f.write("build.sh", waits)
	f.app("one")
	f.refused([]string{"the build did not end within 1s", "anchor up --build-timeout 2s"}, "main")
	f.leavesNothing()
}

func TestBuild_NewerCommitOfTheBranchReplacesOneThatWaits(t *testing.T) {
	f := newPushFixture(t, func(c *server.Config) { c.Builds.Builds = 4 })
	f.write("build.sh", waits)
	f.app("one")
	f.git("push", "anchor", "HEAD:refs/tags/base") // so that the pushes below are quick
	running := f.pushAside("HEAD:refs/heads/main")
	first := f.begun("main")

	f.git("checkout", "--quiet", "-b", "x")
	f.write("build.sh", "cp -r tree .open-next\n")
	old := f.commit("older")
	older := f.pushAside(old + ":refs/heads/x")
	f.until("the older commit waits", func() bool { return slices.Contains(f.builds(), "x queued") })
	newest := f.commit("newer")
	newer := f.pushAside(newest + ":refs/heads/x")

	skipped := <-older
	if skipped.err == nil {
		t.Errorf("the push of the older commit is accepted:\n%s", skipped.out)
	}
	f.says(skipped.out, "ended as superseded: a newer commit of x, "+newest[:7]+", is built in its place")
	if _, err := f.api.CancelBuild(t.Context(), "shop", first); err != nil {
		t.Fatal(err)
	}
	<-running
	if ended := <-newer; ended.err != nil {
		t.Errorf("the push of the newer commit: %v\n%s", ended.err, ended.out)
	}
	if got := f.builds(); !slices.Equal(got, []string{"x deployed", "x superseded", "main canceled"}) {
		t.Errorf("the builds are %q", got)
	}
}

func TestBuild_ServerThatStops(t *testing.T) {
	data := t.TempDir()
	c := config(t, data)
	c.MakeBuild = scriptedBuild
	f := newPushFixture(t, func(other *server.Config) { *other = c })
	f.write("build.sh", waits)
	f.app("one")
	push := f.pushAside("main")
	id := f.begun("main")
	f.down()
	if ended := <-push; ended.err == nil {
		t.Errorf("the push is accepted:\n%s", ended.out)
	}
	f.ready, f.down = up(t, c)
	f.api = client.New(f.ready.APIURL, f.token)
	d, err := f.api.Deployment(t.Context(), "shop", id)
	if err != nil || d.Status != anchor.BuildFailed || !strings.Contains(d.ErrorMessage, "the server stopped during the build") {
		t.Errorf("after the restart the build is %s: %s, %v", d.Status, d.ErrorMessage, err)
	}
	f.leavesNothing()
	again, err := f.api.RetryBuild(t.Context(), "shop", id)
	if err != nil || again.CommitSha != d.CommitSha {
		t.Fatalf("retry: %+v, %v", again, err)
	}
	f.begun("main")
	if _, err := f.api.CancelBuild(t.Context(), "shop", again.ID); err != nil {
		t.Fatal(err)
	}
	f.leavesNothing()
}

// TestBuild_SeesNothingOfTheServer has the build print what it must not find.
// ownNiceness is the scheduling priority of the test, to which a build adds its own (nice(1)).
func ownNiceness(t *testing.T) int {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "nice").Output()
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestBuild_SeesNothingOfTheServer(t *testing.T) {
	t.Setenv("ANCHOR_TEST_SECRET", "of the server")
	var data string
	f := newPushFixture(t, func(c *server.Config) { data = c.Data })
	status, err := f.api.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f.write("build.sh", fmt.Sprintf(`
echo "secret: $ANCHOR_TEST_SECRET"
echo "commit: $ANCHOR_GIT_COMMIT_SHA branch: $ANCHOR_GIT_BRANCH"
cat %s/token 2>/dev/null | sed 's/^/token: /'
ls %s/git 2>/dev/null | sed 's/^/repository: /'
touch %s/planted 2>/dev/null
echo "nice: $(nice)"
echo "cached: $(cat "$XDG_CACHE_HOME/kept" .next/cache/kept 2>/dev/null | tr '\n' ' ')"
mkdir -p "$XDG_CACHE_HOME" .next/cache && echo npm >"$XDG_CACHE_HOME/kept" && echo next >.next/cache/kept
cp -r tree .open-next
`, data, data, data))
	commit := f.app("one")
	out := f.push("main")
	f.says(out, "secret:  ", "commit: "+commit+" branch: main", fmt.Sprintf("nice: %d", min(19, ownNiceness(t)+10)), "cached: ")
	if jail.Level(status.Isolation.Level) >= jail.Filtered {
		for _, leak := range []string{"token: ", "repository: "} {
			if strings.Contains(out, leak) {
				t.Errorf("the build reads %s:\n%s", leak, out)
			}
		}
		if _, err := os.Lstat(filepath.Join(data, "planted")); err == nil {
			t.Error("the build wrote to the data folder")
		}
	}
	f.app("two")
	f.says(f.push("main"), "cached: npm next")
}

// TestBuild_KeepsDependencies looks at which builds find the node_modules of the one before.
func TestBuild_KeepsDependencies(t *testing.T) {
	f := newPushFixture(t, nil)
	f.write("build.sh", "echo \"modules: $(cat node_modules/by)\"; mkdir -p node_modules; cp version node_modules/by; cp -r tree .open-next; exit $(cat code)\n")
	f.write("code", "0")
	f.write("package-lock.json", `{"packages":{"node_modules/next":{"version":"15.5.0"}}}`)
	push := func(version string) string {
		f.write("version", version)
		f.app(version)
		return f.push("main")
	}
	f.says(push("one"), "modules:  ")
	f.says(push("two"), "modules: one ", "the lockfile has not changed")
	f.write("package-lock.json", `{"packages":{"node_modules/next":{"version":"15.5.1"}}}`)
	f.says(push("three"), "modules:  ")
	f.write("version", "broken")
	f.write("code", "1")
	f.app("broken")
	f.refused([]string{"modules: three"}, "main")
	f.write("code", "0")
	f.says(push("five"), "modules:  ") // not what the failed build left
	f.write("package.json", `{"dependencies":{"next":"15.5.0"},"scripts":{"postinstall":"prisma generate"}}`)
	f.says(push("six"), "modules:  ")
	f.says(push("seven"), "modules:  ")
}

// TestBuild_ThatReplacesItsFolder has builds lead the server elsewhere.
func TestBuild_ThatReplacesItsFolder(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.Mkdir(secret, 0o755); err != nil {
		t.Fatal(err)
	}
	f := newPushFixture(t, nil)
	f.app("one")
	for name, test := range map[string]struct{ script, says string }{
		"the output": {"ln -s " + secret + " .open-next", "is a symbolic link to"},
		"a file":     {"cp -r tree .open-next; ln -s /etc/passwd .open-next/assets/leak", "assets/leak"},
		"the app":    {"cd ..; mv src moved; ln -s " + secret + " src", "the build replaced the folder"},
	} {
		f.write("build.sh", test.script+"\n")
		f.commit(name)
		f.refused([]string{test.says}, "main")
	}
	if left, err := os.ReadDir(secret); err != nil || len(left) != 0 {
		t.Errorf("the server wrote to a folder of the build's choice: %v, %v", left, err)
	}
}

func TestBuild_ProjectIsRemovedMeanwhile(t *testing.T) {
	f := newPushFixture(t, nil)
	f.write("build.sh", waits)
	f.app("one")
	push := f.pushAside("main")
	f.begun("main")
	if _, err := f.api.DeleteProject(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	if ended := <-push; ended.err == nil {
		t.Errorf("the push is accepted:\n%s", ended.out)
	}
	f.leavesNothing()
	for _, pattern := range []string{"git/*.git", "builds/cache/*", "builds/logs/*"} {
		if left, err := filepath.Glob(filepath.Join(f.ready.Data, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left: %q, %v", left, err)
		}
	}
}

// TestBuild_NamesTheCause has the build fail in several ways: the refusal says why, and what to do.
func TestBuild_NamesTheCause(t *testing.T) {
	f := newPushFixture(t, nil)
	f.app("one")
	for name, c := range map[string]struct {
		prints string
		says   []string
	}{
		"what the log says": {"Failed to compile.\n\n./app/page.tsx:1:7\nType error: Type 'string' is not assignable to type 'number'.",
			[]string{"sh build.sh failed: ./app/page.tsx:1:7: Type error: Type 'string' is not", "anchor builds logs"}},
		"a full disk": {"Error: ENOSPC: no space left on device, write", []string{"the disk of the server is full", "anchor status", "anchor builds retry"}},
		"too little memory": {"FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
			[]string{"the build ran out of memory", "--build-memory-mib", "--max-old-space-size"}},
		"nothing": {"one\ntwo", []string{"sh build.sh failed: exit status 1", "anchor builds logs"}},
	} {
		f.write("build.sh", "cat <<'END'\n"+c.prints+"\nEND\nexit 1\n")
		f.commit(name)
		f.refused(append(c.says, "no branch has changed"), "main")
	}
	if got := f.remoteBranches(); len(got) != 0 {
		t.Errorf("after failed builds the branches are %v", got)
	}
}

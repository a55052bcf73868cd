//go:build slow

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/anchor-deploy/anchor/internal/deploy/platformtest"
)

// small is a clone of a project whose app is built by a script within a moment.
func (a *anchor) small(project string) *clone {
	a.t.Helper()
	c := a.clone(project)
	c.write("package.json", `{"dependencies":{"next":"15.5.29"}}`)
	c.write("build.sh", "cp -r tree .open-next\n")
	return c
}

// app commits an app whose page is version.
func (c *clone) app(version string) {
	c.t.Helper()
	tree := filepath.Join(c.dir, "tree")
	err := os.RemoveAll(tree)
	if err == nil {
		err = os.CopyFS(tree, os.DirFS(platformtest.NewApp(version).Write(c.t)))
	}
	if err != nil {
		c.t.Fatal(err)
	}
	c.commit(version)
}

// withScripts restarts a server so that it builds by the apps' scripts.
func (a *anchor) withScripts() {
	a.t.Helper()
	a.stop()
	a.env = []string{"ANCHOR_E2E_BUILD_SCRIPT=build.sh"}
	a.start()
}

// buildEnds are the states in which a build ends.
var buildEnds = []string{"deployed", "build_failed", "deploy_failed", "canceled", "superseded", "skipped"}

// builds returns the states of a project's builds.
func (a *anchor) builds(project string) (states []string) {
	a.t.Helper()
	var list struct {
		Items []struct{ Status, Branch, CommitMessage string }
	}
	if code, err := a.call("GET", "/projects/"+project+"/builds?limit=100", nil, &list); err != nil || code != 200 {
		a.t.Fatalf("the builds of %s: %d, %v", project, code, err)
	}
	for _, d := range list.Items {
		states = append(states, d.Status)
	}
	return states
}

// TestPushesAtOnce pushes four branches of five projects at once while visitors ask for all of them: no
// request fails, and each push ends as it says.
func TestPushesAtOnce(t *testing.T) {
	a := up(t)
	a.withScripts()
	var visiting, pushing sync.WaitGroup
	var visits, failed atomic.Int64
	over := make(chan struct{})
	var clones []*clone
	for i := range 5 {
		project := fmt.Sprintf("shop-%d", i)
		c := a.small(project)
		c.app("first-of-" + project)
		c.git("push", "--quiet", "anchor", "main")
		clones = append(clones, c)
		s := a.site(t, project)
		visiting.Go(func() {
			for {
				p, err := s.try("GET", "/", nil)
				visits.Add(1)
				if err != nil || p.Status != 200 || !strings.HasSuffix(p.Body, "-of-"+project) {
					failed.Add(1)
					t.Errorf("a visitor of %s gets %d %.100q, %v", project, p.Status, p.Body, err)
				}
				select {
				case <-over:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	for i, c := range clones {
		for _, branch := range []string{"main", "one", "two", "three"} {
			own := &clone{a, t.TempDir()}
			own.git("clone", "--quiet", c.dir, ".")
			own.runIn("git", "--project", fmt.Sprintf("shop-%d", i))
			if branch != "main" {
				own.git("checkout", "--quiet", "-b", branch)
			}
			own.app(fmt.Sprintf("%s-of-shop-%d", branch, i))
			pushing.Go(func() {
				if out, err := own.command("push", "anchor", branch).CombinedOutput(); err != nil {
					t.Errorf("the push of %s to shop-%d: %v\n%s", branch, i, err, out)
				}
			})
		}
	}
	pushing.Wait()
	close(over)
	visiting.Wait()
	t.Logf("%d visits, %d failed", visits.Load(), failed.Load())
	for i := range clones {
		project := fmt.Sprintf("shop-%d", i)
		if states := a.builds(project); len(states) != 5 || slices.ContainsFunc(states, func(s string) bool { return s != "deployed" }) {
			t.Errorf("the builds of %s are %q", project, states)
		}
		if p := a.site(t, project).get("/"); p.Body != "main-of-"+project {
			t.Errorf("%s answers %q", project, p.Body)
		}
	}
}

// TestPushesKilledAtRandom ends the server with SIGKILL at random moments of builds: after each start all
// builds have ended, the sites show what was live or what has just gone live, and a push succeeds.
func TestPushesKilledAtRandom(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	a := up(t)
	a.withScripts()
	const projects = 3
	clones, shown := make([]*clone, projects), make([][]string, projects)
	for i := range clones {
		clones[i] = a.small(fmt.Sprintf("shop-%d", i))
		clones[i].app("round-0")
		clones[i].git("push", "--quiet", "anchor", "main")
		shown[i] = []string{"round-0"}
	}
	for round := 1; round <= 5; round++ {
		var pushing sync.WaitGroup
		version := fmt.Sprintf("round-%d", round)
		for i, c := range clones {
			c.app(version)
			shown[i] = append(shown[i], version)
			push := c.command("push", "anchor", "main")
			if err := push.Start(); err != nil {
				t.Fatal(err)
			}
			pushing.Go(func() { _ = push.Wait() }) // it may be refused or lost
		}
		time.Sleep(time.Duration(random.IntN(1500)) * time.Millisecond)
		a.kill()
		pushing.Wait()
		a.start()
		for i := range clones {
			project := fmt.Sprintf("shop-%d", i)
			eventually(t, "the builds of "+project+" end", func() bool {
				return !slices.ContainsFunc(a.builds(project), func(s string) bool { return !slices.Contains(buildEnds, s) })
			})
			p := a.site(t, project).get("/").want(t, 200)
			at := slices.Index(shown[i], p.Body)
			if at < 0 {
				t.Fatalf("after kill %d %s answers %q, not one of %q", round, project, p.Body, shown[i])
			}
			shown[i] = shown[i][at:] // what was live once is not followed by what is older
		}
	}
	for i, c := range clones {
		c.app("last")
		if out, err := c.command("push", "anchor", "main").CombinedOutput(); err != nil {
			t.Errorf("the last push: %v\n%s", err, out)
		}
		if p := a.site(t, fmt.Sprintf("shop-%d", i)).get("/"); p.Body != "last" {
			t.Errorf("the site answers %q", p.Body)
		}
	}
	if left, err := os.ReadDir(filepath.Join(a.data, "builds", "work")); err != nil || len(left) > 0 {
		t.Errorf("left of the builds: %v, %v", left, err)
	}
}

// TestPushOfTheDemo does what `make demo` prints: a word of the shop is changed and pushed with another file.
// The server installs, builds with Next.js and OpenNext within the walls, and a browser shows it.
func TestPushOfTheDemo(t *testing.T) {
	if out, err := exec.CommandContext(t.Context(), "make", "-C", "..", "anchor").CombinedOutput(); err != nil {
		t.Fatalf("make anchor: %v\n%s", err, out)
	}
	// The demo's own folder stays as it is.
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	if err := os.Chmod(copied, 0o711); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"bin", "examples"} {
		if err := os.Symlink(filepath.Join(root, name), filepath.Join(copied, name)); err != nil {
			t.Fatal(err)
		}
	}
	script, err := os.ReadFile("../scripts/demo")
	if err == nil {
		err = os.MkdirAll(filepath.Join(copied, "scripts"), 0o755)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(copied, "scripts", "demo"), script, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	demo := exec.CommandContext(ctx, filepath.Join(copied, "scripts", "demo"))
	demo.Env = append(os.Environ(), "HOME="+copied, "XDG_RUNTIME_DIR=", "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "NO_COLOR=1",
		"npm_config_cache="+filepath.Join(os.TempDir(), "anchor-e2e-npm"))
	demo.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	demo.Cancel = func() error { return syscall.Kill(-demo.Process.Pid, syscall.SIGTERM) }
	demo.WaitDelay = time.Minute
	var errs bytes.Buffer
	demo.Stderr = &errs
	out, err := demo.StdoutPipe()
	if err == nil {
		err = demo.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { cancel(); _ = demo.Wait() }()
	var live string
	var steps []string
	for lines := bufio.NewScanner(out); lines.Scan() && !strings.HasPrefix(lines.Text(), "Ctrl-C"); {
		line := lines.Text()
		if at, found := strings.CutPrefix(line, "Live"); found {
			live = strings.TrimSpace(at)
		}
		if step, found := strings.CutPrefix(line, "  "); found && (len(steps) > 0 || strings.HasPrefix(step, "cd ")) {
			steps = append(steps, step)
		}
	}
	if live == "" || len(steps) != 4 {
		t.Fatalf("the demo prints the URL %q and the steps %q\n%s", live, steps, &errs)
	}
	steps = slices.Insert(steps, 1, "echo first > public/word.txt; git add public/word.txt")
	push := exec.CommandContext(t.Context(), "bash", "-euc", strings.Join(steps, "\n"))
	push.Env = append(os.Environ(), "HOME="+copied, "XDG_RUNTIME_DIR=", "XDG_STATE_HOME=", "XDG_CONFIG_HOME=", "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com")
	text, err := push.CombinedOutput()
	if err != nil {
		t.Fatalf("the push: %v\n%s", err, text)
	}
	for _, want := range []string{"remote: $ npm ci", "remote: $ npx --no-install open-next build", "remote: Live: " + live} {
		if !strings.Contains(string(text), want) {
			t.Errorf("git does not print %q:\n%s", want, text)
		}
	}
	b := newBrowser(t)
	var title, word string
	b.do("open the file", chromedp.Navigate(live+"/word.txt"), chromedp.Text("body", &word))
	if strings.TrimSpace(word) != "first" {
		t.Errorf("the file is %q", word)
	}
	b.do("open the shop", chromedp.Navigate(live), chromedp.Text("h1", &title))
	if title != "Gear that laughs at weather" {
		t.Errorf("the browser shows %q", title)
	}
	b.well("the shop after the push")
}

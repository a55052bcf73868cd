//go:build slow

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// clone is a repository to push from.
type clone struct {
	*anchor
	dir string
}

// clone makes a repository, with the remote that `anchor git` sets up.
func (a *anchor) clone(project string) *clone {
	a.t.Helper()
	c := &clone{a, a.t.TempDir()}
	c.git("init", "--quiet", "--initial-branch=main")
	c.runIn("git", "--project", project)
	return c
}

func (c *clone) environment() []string {
	return append(os.Environ(), "ANCHOR_E2E_MAIN="+mainID(), "ANCHOR_URL="+c.api, "ANCHOR_TOKEN="+c.token, "NO_COLOR=1",
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=A", "GIT_COMMITTER_EMAIL=a@example.com")
}

// runIn runs an anchor command in the clone.
func (c *clone) runIn(args ...string) string {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := command(ctx, args...)
	cmd.Dir, cmd.Env = c.dir, c.environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.t.Fatalf("anchor %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (c *clone) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(c.t.Context(), "git", args...)
	cmd.Dir, cmd.Env = c.dir, c.environment()
	return cmd
}

func (c *clone) git(args ...string) string {
	c.t.Helper()
	out, err := c.command(args...).CombinedOutput()
	if err != nil {
		c.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (c *clone) write(name, content string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(c.dir, name), []byte(content), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

func (c *clone) commit(message string) {
	c.t.Helper()
	c.git("add", "--all")
	c.git("commit", "--quiet", "-m", message)
}

// TestKillDuringABuild ends the server with SIGKILL while a build runs: nothing of the build is
// left running, the push is refused, and the build can be retried.
func TestKillDuringABuild(t *testing.T) {
	a := up(t)
	a.stop()
	a.env = []string{"ANCHOR_E2E_BUILD_SCRIPT=build.sh"}
	a.start()
	c := a.clone("shop")
	c.write("package.json", `{"dependencies":{"next":"15.5.29"}}`)
	c.write("build.sh", "setsid sleep 3600 &\necho begun; sleep 3600\n")
	c.commit("endless")
	var out bytes.Buffer
	push := c.command("push", "anchor", "main")
	push.Stdout, push.Stderr = &out, &out
	if err := push.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- push.Wait() }()
	build := ""
	eventually(t, "the build runs", func() bool {
		var list struct {
			Items []struct{ DeploymentID, Status string }
		}
		text, _, code := a.run("builds", "--project", "shop", "--json")
		if code != 0 || json.Unmarshal([]byte(text), &list) != nil || len(list.Items) == 0 {
			return false
		}
		build = list.Items[0].DeploymentID
		log, _, _ := a.run("builds", "logs", build, "--project", "shop")
		return strings.Contains(log, "begun")
	})
	a.kill()
	if err := <-ended; err == nil {
		t.Errorf("the push is accepted:\n%s", &out)
	}
	work := filepath.Join(a.data, "builds", "work")
	eventually(t, "the processes of the build have ended", func() bool {
		environments, _ := filepath.Glob("/proc/[0-9]*/environ")
		for _, name := range environments {
			if content, err := os.ReadFile(name); err == nil && bytes.Contains(content, []byte(work)) {
				return false
			}
		}
		return true
	})
	a.start()
	text, _, _ := a.run("builds", "--project", "shop")
	if !strings.Contains(text, "build_failed") {
		t.Errorf("after the restart the builds are:\n%s", text)
	}
	if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
		t.Errorf("left of the build: %v, %v", left, err)
	}
	if text, errs, code := a.run("builds", "retry", build, "--project", "shop"); code != 0 {
		t.Errorf("retry ended with %d: %s%s", code, text, errs)
	}
}

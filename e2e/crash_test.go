//go:build slow

package e2e

import (
	"math/rand/v2"
	"os/exec"
	"testing"
	"time"
)

// steps are the boundaries of the pipeline at which the server is killed.
var steps = []string{"check", "assets", "functions", "cache", "probe", "release", "purge"}

// TestKillAtEveryStep ends the server with SIGKILL before each step of a deployment. After a
// restart the site is the old or the new version, complete. The deployment is brought to its end,
// which the waiting command reports.
func TestKillAtEveryStep(t *testing.T) {
	t.Parallel()
	a := up(t)
	a.deploy(variant(t, 1), "shop")
	for n, step := range steps {
		t.Run("before "+step, func(t *testing.T) {
			app := variant(t, n+2)
			a.stop()
			a.env = []string{"ANCHOR_E2E_DIE_BEFORE=" + step}
			a.start()
			cli := a.deployInBackground(app)
			<-a.ended // the server kills itself at the step
			a.env = nil
			a.start()
			if err := cli.Wait(); err != nil {
				t.Errorf("the command that lost its server for a moment ended with %v", err)
			}
			a.whole(t)
			eventually(t, "the deployment is finished", func() bool {
				return a.site(t, "shop").get("/dynamic").want(t, 200).find(t, versionMeta) == LabelOf(n+2)
			})
			a.settled(t)
		})
	}
}

// TestKillAtRandom ends the server at random moments of deploys and rollbacks.
func TestKillAtRandom(t *testing.T) {
	t.Parallel()
	a := up(t)
	ids := []string{a.deploy(variant(t, 1), "shop").DeploymentID, a.deploy(variant(t, 2), "shop").DeploymentID}
	for n := range 12 {
		var cli *exec.Cmd
		if n%2 == 0 {
			cli = a.deployInBackground(variant(t, n+3))
			time.Sleep(rand.N(2500 * time.Millisecond))
		} else {
			cli = a.inBackground("rollback", ids[rand.IntN(2)], "--project", "shop")
			time.Sleep(rand.N(150 * time.Millisecond))
		}
		a.kill()
		cli.Process.Kill()
		cli.Wait()
		a.start()
		a.whole(t)
	}
	eventually(t, "everything has ended", func() bool { return !a.busy(t) })
	a.settled(t, "building") // an upload whose client is gone is kept for a day
}

func (a *anchor) deployInBackground(app string) *exec.Cmd {
	return a.inBackground("deploy", "--prebuilt", app, "--project", "shop", "--json")
}

func (a *anchor) inBackground(args ...string) *exec.Cmd {
	cmd := command(a.t.Context(), args...)
	cmd.Env = append(cmd.Env, "ANCHOR_URL="+a.api, "ANCHOR_TOKEN="+a.token)
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	return cmd
}

// whole checks that the site is one version, complete, and that the records agree.
func (a *anchor) whole(t *testing.T) {
	t.Helper()
	s := a.site(t, "shop")
	p := s.get("/dynamic").want(t, 200)
	version := p.find(t, versionMeta)
	if got := p.Header.Get("X-Storefront-Version"); got != version {
		t.Errorf("the header says %s, the page %s", got, version)
	}
	for _, c := range chunkURL.FindAllString(p.Body, -1) {
		s.get(c).want(t, 200)
	}
	eventually(t, "site and records agree", func() bool {
		before := a.live(t)
		shown := s.get("/dynamic").want(t, 200).find(t, versionMeta)
		own := a.site(t, before+"--shop").get("/dynamic").want(t, 200).find(t, versionMeta)
		return before == a.live(t) && shown == own // else it was switched meanwhile
	})
}

// busy reports whether a deployment is still in progress.
func (a *anchor) busy(t *testing.T) bool {
	t.Helper()
	var list struct{ Items []struct{ Status string } }
	if code, err := a.call("GET", "/projects/shop/deployments?limit=100", nil, &list); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	for _, d := range list.Items {
		if d.Status == "built" || d.Status == "deploying" {
			return true
		}
	}
	return false
}

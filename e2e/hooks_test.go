//go:build slow

package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"
)

// TestKillDuringDeliveries ends the server with SIGKILL at random moments after it has acknowledged a
// delivery: while it clones, waits or builds. What was acknowledged is processed after the restart,
// and every build ends in a stated state.
func TestKillDuringDeliveries(t *testing.T) {
	t.Parallel()
	a := up(t)
	a.stop()
	a.env = []string{"ANCHOR_E2E_BUILD_SCRIPT=build.sh"}
	a.start()
	c := a.clone("shop")
	host := t.TempDir()
	c.git("init", "--quiet", "--bare", "--initial-branch=main", filepath.Join(host, "shop.git"))
	server := httptest.NewServer(http.FileServer(http.Dir(host))) // git's dumb protocol
	t.Cleanup(server.Close)
	c.write("package.json", `{"dependencies":{"next":"15.5.29"}}`)
	c.write("build.sh", "sleep 1; echo built; exit 3\n")
	c.commit("one")
	c.runIn("connect", "plain", "--project", "shop", "--repository", server.URL+"/shop.git")
	var connection struct {
		DeployHookPath string
		Deliveries     []struct{ Summary, Outcome string }
	}
	show := func() {
		t.Helper()
		connection.Deliveries = nil
		if err := json.Unmarshal([]byte(c.runIn("connect", "show", "--project", "shop", "--reveal", "--json")), &connection); err != nil {
			t.Fatal(err)
		}
	}
	show()
	const rounds = 6
	for n := range rounds {
		branch := fmt.Sprint("b", n)
		c.git("push", "--quiet", filepath.Join(host, "shop.git"), "main:"+branch)
		c.git("--git-dir", filepath.Join(host, "shop.git"), "update-server-info")
		res, err := http.Post(a.api+connection.DeployHookPath+"&branch="+branch, "", nil)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusAccepted {
			t.Fatalf("the deploy hook answers %s", res.Status)
		}
		time.Sleep(rand.N(1200 * time.Millisecond))
		a.kill()
		a.start()
	}
	tried := map[string]int{}
	eventually(t, "all deliveries are processed and all builds have ended", func() bool {
		show()
		for _, d := range connection.Deliveries {
			if d.Outcome == "" {
				return false
			}
		}
		var list struct {
			Items []struct{ Branch, Status string }
		}
		if err := json.Unmarshal([]byte(c.runIn("builds", "ls", "--project", "shop", "--limit", "100", "--json")), &list); err != nil {
			t.Fatal(err)
		}
		clear(tried)
		for _, d := range list.Items {
			tried[d.Branch]++
			if d.Status != "build_failed" {
				return false
			}
		}
		return len(connection.Deliveries) >= rounds
	})
	for n := range rounds {
		if got := tried[fmt.Sprint("b", n)]; got < 1 || got > 3 {
			t.Errorf("branch b%d was built %d times", n, got)
		}
	}
}

//go:build slow

package e2e

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestKillSplit kills the server at any moment of a begin, a change and an end of a split. After each restart, what was
// acknowledged is in force, and traffic is divided as the records say.
func TestKillSplit(t *testing.T) {
	t.Parallel()
	a := up(t)
	one, two := a.deploy(variant(t, 1), "shop").DeploymentID, a.deploy(variant(t, 2), "shop").DeploymentID
	weight := 0
	for round := range 10 {
		args, next := []string{"promote", "--cancel"}, 0
		if weight == 0 || round%3 != 0 {
			next = 10 + rand.IntN(80)
			args = []string{"promote", one, "--weight", fmt.Sprint(next)}
		}
		cmd := a.inBackground(append(args, "--project", "shop")...)
		time.Sleep(time.Duration(rand.IntN(250)) * time.Millisecond) // any moment will do
		a.kill()
		acknowledged := cmd.Wait() == nil
		a.start()
		var live struct {
			DeploymentID string
			Split        *struct {
				DeploymentID string
				Weight       int
			}
		}
		if code, err := a.call("GET", "/projects/shop/live", nil, &live); code != 200 || err != nil {
			t.Fatal(code, err)
		}
		now := 0
		if live.Split != nil {
			now = live.Split.Weight
		}
		if live.DeploymentID != two || now != next && (acknowledged || now != weight) {
			t.Fatalf("round %d: %v (acknowledged: %v) after %d %% left %+v", round, args, acknowledged, weight, live)
		}
		weight = now
		const n = 60
		got := map[string]int{}
		s := a.site(t, "shop")
		for range n {
			got[s.get("/dynamic").want(t, 200).Header.Get("X-Anchor-Deployment")]++
		}
		if got[one]+got[two] != n || !about(got[one], n, weight) {
			t.Errorf("round %d: at %d %% of %s the versions answer %v", round, weight, one, got)
		}
	}
}

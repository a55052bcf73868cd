//go:build slow

package e2e

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestNoLostRequest sends visitors to the site during 20 deployments and 200 switches. Every
// answer must be expected, complete and of one version.
func TestNoLostRequest(t *testing.T) {
	t.Parallel()
	const deployments, switches = 20, 200
	a := up(t, "--keep", "30")
	first := a.deploy(variant(t, 1), "shop")
	s := a.site(t, "shop")
	l := s.load(func(v string) bool { return strings.HasPrefix(v, "storefront-") })

	ids := []string{first.DeploymentID}
	var deploys []time.Duration
	for n := 2; n <= deployments; n++ {
		app := variant(t, n)
		start := time.Now()
		d := a.deploy(app, "shop")
		deploys = append(deploys, time.Since(start))
		ids = append(ids, d.DeploymentID)
		if got := s.get("/dynamic").want(t, 200).find(t, versionMeta); got != LabelOf(n) {
			t.Errorf("after deployment %d the site shows %s", n, got)
		}
	}

	var took []time.Duration
	recent := ids[len(ids)-3:] // warm ones, the usual targets of rollbacks; some cold ones between
	for n := range switches {
		target := recent[n%len(recent)]
		if n%25 == 24 {
			target = ids[rand.IntN(len(ids))]
		}
		start := time.Now()
		if n%2 == 0 {
			if code, err := a.call("POST", "/projects/shop/rollback", map[string]string{"targetDeploymentId": target}, nil); code != 200 || err != nil {
				t.Fatalf("rollback %d: %d %v", n, code, err)
			}
		} else if code, err := a.call("POST", "/projects/shop/deployments/"+target+"/promote", nil, nil); code != 200 || err != nil {
			t.Fatalf("promote %d: %d %v", n, code, err)
		}
		took = append(took, time.Since(start))
		time.Sleep(50 * time.Millisecond)
	}
	l.end(t)
	slices.Sort(took)
	slices.Sort(deploys)
	t.Logf("%d deployments, median %v; %d switches, median %v, p99 %v", deployments, deploys[len(deploys)/2],
		switches, took[len(took)/2], took[len(took)*99/100])
}

// TestConcurrentDeployments starts ten concurrent deployments of one project, then of ten.
func TestConcurrentDeployments(t *testing.T) {
	t.Parallel()
	a := up(t, "--keep", "30")
	apps := make([]string, 10)
	for n := range apps {
		apps[n] = variant(t, n+1)
	}
	for name, project := range map[string]func(n int) string{
		"of one project":  func(int) string { return "shop" },
		"of ten projects": func(n int) string { return "shop" + string(rune('a'+n)) },
	} {
		t.Run(name, func(t *testing.T) {
			codes := make(chan string, len(apps))
			for n, app := range apps {
				go func() {
					out, errs, code := a.run("deploy", "--prebuilt", app, "--project", project(n), "--json")
					switch {
					case code == 0 && strings.Contains(out, `"deployed"`), strings.Contains(out, `"superseded"`):
						codes <- ""
					default:
						codes <- out + errs
					}
				}()
			}
			for range apps {
				if said := <-codes; said != "" {
					t.Error(said)
				}
			}
			a.settled(t)
		})
	}
	var newest struct {
		Items []struct{ DeploymentID, Status string }
	}
	if code, err := a.call("GET", "/projects/shop/deployments?limit=100", nil, &newest); code != 200 || err != nil {
		t.Fatal(code, err)
	}
	live := a.live(t)
	for _, d := range newest.Items {
		if d.Status == "deployed" {
			if d.DeploymentID != live {
				t.Errorf("live is %s, the newest deployed is %s", live, d.DeploymentID)
			}
			break
		}
	}
}

package e2e

import (
	"fmt"
	"net/http/cookiejar"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// wantsSplit returns how traffic is divided according to the API.
func (a *anchor) wantsSplit(t *testing.T, weight int) (s splitAnswer) {
	t.Helper()
	if code, err := a.call("GET", "/projects/shop/split", nil, &s); code != 200 || err != nil || s.Weight != weight {
		t.Fatalf("the split is answered with %d, %v: %+v; want a weight of %d", code, err, s, weight)
	}
	return s
}

type splitAnswer struct {
	DeploymentID, LiveDeploymentID string
	Weight                         int
	Sticky                         bool
	Traffic                        struct {
		Live, Candidate struct{ Requests, Errors int64 }
	}
}

// must runs a command that has to succeed.
func (a *anchor) must(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, code := a.run(append(args, "--project", "shop")...)
	if code != 0 {
		t.Fatalf("%v ended with %d: %s", args, code, errs)
	}
	return out
}

// shares asks n times for a page and returns how many answers each deployment gave.
func shares(t *testing.T, s *site, path string, n int) map[string]int {
	t.Helper()
	all := map[string]int{}
	for range n {
		p := s.get(path).want(t, 200)
		all[p.Header.Get("X-Anchor-Deployment")]++
		if control := p.Header.Get("Cache-Control"); !strings.Contains(control, "private") && !strings.Contains(control, "no-store") {
			t.Errorf("a shared cache may store %s of one version: Cache-Control is %q", path, control)
		}
	}
	return all
}

// about reports whether n is what a weight gives of all: it fails once in some billion runs (6.5 standard deviations).
func about(n, all, weight int) bool {
	mean := all * weight / 100
	return (n-mean)*(n-mean)*10000 <= 42*all*weight*(100-weight)
}

// TestSplit divides the traffic of two versions, over a change of the weight, a crash and the end of the split.
func TestSplit(t *testing.T) {
	t.Parallel()
	a := up(t)
	one := a.deploy(variant(t, 1), "shop").DeploymentID
	two := a.deploy(variant(t, 2), "shop").DeploymentID
	want := func(when, path string, weight int) {
		t.Helper()
		const n = 120
		got := shares(t, a.site(t, "shop"), path, n)
		if got[one]+got[two] != n || !about(got[one], n, weight) {
			t.Errorf("%s: of %d requests for %s the two versions answered %v, want %d %% by %s", when, n, path, got, weight, one)
		}
	}
	says(t, a.must(t, "promote", one, "--weight", "30"), `gets 30 %`)
	want("by request", "/dynamic", 30)
	want("by request", "/", 30) // the edge stores this page, for each version
	// What a page asks for is answered by its version.
	for i, id := range []string{one, two} {
		for range 20 {
			a.site(t, "shop").get("/dynamic?_rsc=1", "Rsc", "1", "X-Deployment-Id", LabelOf(i+1)).want(t, 200).header(t, "X-Anchor-Deployment", id)
		}
	}
	for _, chunk := range chunkURL.FindAllString(a.site(t, "shop").get("/").Body, 3) {
		a.site(t, "shop").get(chunk).want(t, 200).header(t, "Cache-Control", "public,max-age=31536000,immutable")
	}
	s := a.wantsSplit(t, 30)
	if s.DeploymentID != one || s.LiveDeploymentID != two || s.Sticky || a.live(t) != two {
		t.Errorf("%+v", s)
	}
	eventually(t, "both versions' requests are counted", func() bool {
		s := a.wantsSplit(t, 30)
		return s.Traffic.Live.Requests > 40 && s.Traffic.Candidate.Requests > 10
	})
	says(t, a.must(t, "deployments"), `●  `+two+`  v2 +live`, `○  `+one+`  v1 +gets 30 %`)
	says(t, a.must(t, "status"), `v1 gets 30 %, v2 the rest`, `v1 +30 % +\d+`, `v2 +70 % +\d+`, `promote --cancel`)

	a.must(t, "promote", one, "--weight", "60")
	a.kill()
	a.start()
	want("after a crash", "/dynamic", 60)
	a.wantsSplit(t, 60)

	says(t, a.must(t, "rollback"), `Rolled back to v2`)
	if got := shares0(a.site(t, "shop"), "/dynamic", 50); got[two] != 50 {
		t.Errorf("after a rollback: %v", got)
	}
	if _, errs, code := a.run("promote", "--cancel", "--project", "shop"); code == 0 || !strings.Contains(errs, "not divided") {
		t.Errorf("a second end: %d %s", code, errs)
	}
	says(t, a.must(t, "releases"), `v1 gets 60 %`, `v1 canceled at 60 %`)
}

func shares0(s *site, path string, n int) map[string]int {
	all := map[string]int{}
	for range n {
		all[s.get(path).Header.Get("X-Anchor-Deployment")]++
	}
	return all
}

// TestSplitByVisitor divides visitors, moves them as the weight rises, and ends with all.
func TestSplitByVisitor(t *testing.T) {
	t.Parallel()
	a := up(t)
	one := a.deploy(variant(t, 1), "shop").DeploymentID
	two := a.deploy(variant(t, 2), "shop", "--weight", "20", "--sticky").DeploymentID
	if a.live(t) != one {
		t.Errorf("live is %s during the split", a.live(t))
	}
	const visitors = 80
	sites := make([]*site, visitors)
	first := map[int]string{}
	visit := func(i int) string { return sites[i].get("/dynamic").want(t, 200).Header.Get("X-Anchor-Deployment") }
	candidates := 0
	for i := range sites {
		sites[i] = a.site(t, "shop")
		sites[i].client.Jar, _ = cookiejar.New(nil)
		if first[i] = visit(i); first[i] == two {
			candidates++
		}
		if again := visit(i); again != first[i] {
			t.Fatalf("a visitor of %s is sent to %s", first[i], again)
		}
	}
	if !about(candidates, visitors, 20) {
		t.Errorf("%d of %d visitors got 20 %%", candidates, visitors)
	}
	says(t, a.must(t, "promote", two, "--weight", "50", "--sticky", "--then", "100", "--every", "1h"), `gets 50 %`)
	moved := 0
	for i := range sites {
		switch now := visit(i); {
		case now == two && first[i] == one:
			moved++
		case now != two && first[i] == two:
			t.Errorf("visitor %d is moved back as the weight rises", i)
		}
	}
	if moved == 0 {
		t.Error("nobody is moved as the weight rises")
	}
	says(t, a.must(t, "promote", two, "--weight", "90", "--sticky", "--then", "100", "--every", "1s"), `gets 90 %`)
	eventually(t, "the last step makes it live", func() bool { return a.live(t) == two })
	if got := shares0(a.site(t, "shop"), "/dynamic", 30); got[two] != 30 {
		t.Errorf("after the last step: %v", got)
	}
	says(t, a.must(t, "releases"), `shift .*v2 was at 90 %`)
	if code, err := a.call("GET", "/projects/shop/split", nil, nil); code != 404 || err != nil {
		t.Errorf("the ended split is answered with %d %v", code, err)
	}
}

// failing is a server function that answers every n-th request but the probe's with 500.
func failing(t *testing.T, n int) string {
	return broken(t, serverModule(fmt.Sprintf(`let asked = 0;
export const handler = awslambda.streamifyResponse(async (event, out) => {
  const statusCode = event.rawPath !== "/" && ++asked %% %d === 0 ? 500 : 200;
  out.setContentType("application/vnd.awslambda.http-integration-response");
  out.write(JSON.stringify({ statusCode, headers: { "cache-control": "no-store" }, cookies: [] }) + "\0".repeat(8));
  out.end("ok");
});`, n)))
}

// TestSplitGuard releases a deployment that fails one of five requests to a tenth of the requests, and counts
// what visitors meet until the guard has returned. The API answers for all of it.
func TestSplitGuard(t *testing.T) {
	t.Parallel()
	a := up(t)
	one := a.deploy(failing(t, 1_000_000), "shop").DeploymentID
	two := a.deploy(failing(t, 5), "shop", "--weight", "10", "--guard", "--then", "100", "--every", "10m").DeploymentID
	var asked, failed, candidate atomic.Int64
	stop := make(chan struct{})
	var visitors sync.WaitGroup
	for range 4 {
		s := a.site(t, "shop")
		visitors.Go(func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(20 * time.Millisecond):
				}
				p, err := s.try("GET", "/page", nil)
				if err != nil {
					t.Errorf("a visitor is cut off: %v", err)
					return
				}
				asked.Add(1)
				if p.Status != 200 {
					failed.Add(1)
				}
				if p.Header.Get("X-Anchor-Deployment") == two {
					candidate.Add(1)
				}
			}
		})
	}
	var releases struct {
		Items []struct {
			Kind, DeploymentID string
			EndedSplit         *struct {
				DeploymentID, Reason string
				Evidence             struct {
					Finding, Message string
					Candidate, Live  struct{ Requests, Errors int64 }
				}
			}
		}
	}
	eventually(t, "the guard returns", func() bool {
		if code, err := a.call("GET", "/projects/shop/releases", nil, &releases); code != 200 || err != nil {
			t.Fatal(code, err)
		}
		return releases.Items[0].EndedSplit != nil
	})
	close(stop)
	visitors.Wait()
	last := releases.Items[0]
	e := last.EndedSplit.Evidence
	if last.Kind != "shift" || last.DeploymentID != one || last.EndedSplit.DeploymentID != two || last.EndedSplit.Reason != "regressed" ||
		e.Finding != "errors" || e.Candidate.Errors < 3 || e.Live.Errors != 0 || !strings.Contains(e.Message, "failed, against 0 of") {
		t.Errorf("%+v", last)
	}
	t.Logf("%d requests, %d of them to the candidate, %d visitors met an error; the guard saw: %s", asked.Load(), candidate.Load(), failed.Load(), e.Message)
	if got := shares0(a.site(t, "shop"), "/page", 30); got[one] != 30 {
		t.Errorf("after the return: %v", got)
	}
	says(t, a.must(t, "releases"), `v2 returned by the guard at 10 % \(errors\)`)
	if !slices.ContainsFunc(strings.Split(a.log.String(), "\n"), regexp.MustCompile("the guard returns").MatchString) {
		t.Error("the log does not say that the guard returned")
	}
}
